/*
 * XenStore, through libxenstore: where toolstack, frontends and we meet.
 * Frontends write hostile text: every value is of bounded size, printable, and
 * of the form that its reader says, or it is refused.
 *
 * Requests wait for xenstored's answer, some tens of microseconds each; they
 * are for the coming and going of vifs, not for packets. Watches run through
 * the event loop. libxenstore starts a thread of its own with the first one.
 */
#ifndef LINK_XEN_XENSTORE_H
#define LINK_XEN_XENSTORE_H

#include "gateway/base/bytes.h"
#include "gateway/event/loop.h"

enum {
    XENSTORE_DIRECTORY_SIZE = 128, /* ours are shorter */
    XENSTORE_PATH_SIZE = 256,      /* of a key in it */
    XENSTORE_VALUE_SIZE = 256,
};

struct xenstore; /* heap */

/* Something at or below a watched path changed. */
typedef void xenstore_changed(void *context, struct instant now,
                              const char *path, const char *token);
/* After all changes of a turn. */
typedef void xenstore_settled(void *context, struct instant now);

struct xenstore_owner {
    void *context;
    xenstore_changed *changed;
    xenstore_settled *settled;
};

/* NULL and *error on failure; the log says what. */
struct xenstore *xenstore_open(struct loop *loop,
                               const struct xenstore_owner *owner,
                               enum error *error);
void xenstore_close(struct xenstore *x);

/* The path of our own domain, "/local/domain/7"; false, and the log says why,
 * when there is none. */
MUST_USE bool xenstore_home(struct xenstore *x,
                            char path[XENSTORE_DIRECTORY_SIZE]);

enum xenstore_value {
    XENSTORE_ABSENT,  /* not there, or not for us to read */
    XENSTORE_PRESENT, /* and as it should be */
    XENSTORE_WRONG,   /* too long, or not of the form */
};

/* The value of `directory`/`key`, a C string without control characters. */
enum xenstore_value xenstore_read(struct xenstore *x, const char *directory,
                                  const char *key,
                                  char value[XENSTORE_VALUE_SIZE]);
/* A decimal number, at most `most`. */
enum xenstore_value xenstore_read_number(struct xenstore *x,
                                         const char *directory, const char *key,
                                         uint32_t most, uint32_t *value);
/* "0" or "1"; *value is left alone where it is absent. */
enum xenstore_value xenstore_read_flag(struct xenstore *x,
                                       const char *directory, const char *key,
                                       bool *value);

/* Calls `each` with the name of every entry. */
void xenstore_list(struct xenstore *x, const char *directory,
                   void (*each)(void *context, const char *name),
                   void *context);

struct xenstore_entry {
    const char *key;
    const char *value;
};

/* All entries or none; none where the directory does not exist. */
MUST_USE bool xenstore_write(struct xenstore *x, const char *directory,
                             const struct xenstore_entry *entries,
                             size_t count);
/* With all below it; false when that is refused. */
bool xenstore_remove(struct xenstore *x, const char *path);

MUST_USE bool xenstore_watch(struct xenstore *x, const char *path,
                             const char *token);
void xenstore_unwatch(struct xenstore *x, const char *path, const char *token);

#endif
