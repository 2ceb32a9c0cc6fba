/*
 * An owner of a QubesDB client that lives in a test: it writes down what it
 * is told and plays the event loop, with a clock of its own, against a daemon
 * of the same thread.
 */
#ifndef TESTS_QUBESDB_WITNESS_H
#define TESTS_QUBESDB_WITNESS_H

#include "qubesdb/qubesdb.h"
#include "tests/qubesdb/daemon.h"

enum {
    WITNESS_SOURCES_MAX = 64,
    WITNESS_TEXT_SIZE = 4096,
    WITNESS_CHANGES_MAX = 256,
};

struct witness_rules {
    char source[ADDRESS_TEXT_SIZE];
    bool present;
    unsigned times;                /* told */
    char lines[WITNESS_TEXT_SIZE]; /* "policy=drop;0000=action=accept;" */
};

struct witness {
    struct qubesdb *client;
    struct daemon *daemon;
    struct instant now;
    int fd;
    unsigned events;
    bool counts_handled; /* calls qubesdb_rules_handled() from rules() */

    unsigned synced, lost;
    size_t rules_count;
    struct witness_rules rules[WITNESS_SOURCES_MAX];
    size_t change_count; /* wraps at the end */
    char changes[WITNESS_CHANGES_MAX][MESSAGE_PATH_SIZE];
};

void witness_init(struct witness *w, struct daemon *s, const char *where);
void witness_clear(struct witness *w);

/* Turns of both sides until neither has anything to do at this moment. */
void witness_settle(struct witness *w);

/* One turn of the client alone; false if it had nothing to do. */
bool witness_turn(struct witness *w);

/* The clock jumps to the client's deadline, then as above; false when it has
 * none. */
bool witness_wait(struct witness *w);

/* The last word about a source: "absent", the lines, or NULL. */
const char *witness_rules_of(const struct witness *w, const char *source);
unsigned witness_times(const struct witness *w, const char *source);
bool witness_saw_change(const struct witness *w, const char *path);
void witness_forget_changes(struct witness *w);

/* A fresh directory; a path for a socket within it, and its end. */
const char *witness_socket(void);
void witness_remove_socket(void);

#endif
