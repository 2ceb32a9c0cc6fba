/*
 * The QubesDB client: keeps a mirror of what dom0 says to this qube, tells its
 * owner what changes, and writes the few keys a gateway writes. It never
 * blocks and has no loop of its own: the owner waits for one descriptor and
 * one deadline and calls in.
 *
 *             ┌────────── lost: back off, 100 ms doubling to 5 s ─────────┐
 *             ▼                                                           │
 *   away ── connect ──▶ connecting ── sync ──▶ in contact ── peer gone, ──┘
 *                                                          no answer in 10 s
 *
 * The last values stay in force while contact is lost. Afterwards everything
 * is read again, and told where it differs; rules are told again always.
 */
#ifndef QUBESDB_QUBESDB_H
#define QUBESDB_QUBESDB_H

#include "gateway/base/instant.h"
#include "qubesdb/rule_tree.h"

struct qubesdb;

enum { QUBESDB_READ = 1, QUBESDB_WRITE = 2 };

/* The client calls these from inside qubesdb_ready() and qubesdb_expire() only;
 * none of them may close it. */
struct qubesdb_owner {
    void *context;
    /* Call qubesdb_ready() for these events of this descriptor, and for no
     * other any more. -1: for none; the one before is still open. */
    void (*wait)(void *context, int fd, unsigned events);
    /* The rules of one source, complete: to be swapped in as a whole. The
     * tree is borrowed for the call. */
    void (*rules)(void *context, struct instant now,
                  const struct rule_tree *tree);
    /* A key has another value, is new, or is gone. Not for rules. */
    void (*changed)(void *context, struct instant now, const char *path);
    /* Everything has been read and told, at the start and after a loss. */
    void (*synced)(void *context, struct instant now);
    void (*lost)(void *context, struct instant now);
};

/* `where`: a socket's path, or "vchan". It begins with the first
 * qubesdb_expire(), whose deadline is at once. `owner` is copied. NULL when
 * memory is short. */
struct qubesdb *qubesdb_open(const char *where,
                             const struct qubesdb_owner *owner);
void qubesdb_close(struct qubesdb *q);

void qubesdb_ready(struct qubesdb *q, struct instant now);
void qubesdb_expire(struct qubesdb *q, struct instant now);

/* To be asked again after every call. */
struct instant qubesdb_deadline(const struct qubesdb *q);

/* Everything was read and contact stands. */
bool qubesdb_in_contact(const struct qubesdb *q);

/* The database as known, for keys.h; empty before the first synced(). */
const struct store *qubesdb_store(const struct qubesdb *q);

/* The rules of this source were put in force: counts up what dom0 and tools
 * look at. Without contact nothing is counted. May be called from rules(). */
void qubesdb_rules_handled(struct qubesdb *q, struct instant now,
                           const struct address *source);

/* Asks to write a key; false when it is not to be, or without contact: then
 * it may be asked again from synced(). */
MUST_USE bool qubesdb_write(struct qubesdb *q, struct instant now,
                            const char *path, struct bytes value);

#endif
