/*
 * Takes connections from a socket that listens. Where none can be taken (no
 * descriptor, no memory) it rests for a while instead of being woken again and
 * again by who waits: that would cost all of a processor, and a neighbour who
 * only has to wait could cause it.
 */
#ifndef EVENT_ACCEPTOR_H
#define EVENT_ACCEPTOR_H

#include "gateway/base/bytes.h"
#include "gateway/event/loop.h"

enum { ACCEPTOR_REST_SECONDS = 1 };

struct acceptor_owner {
    void *context;
    /* A new connection, close-on-exec and without blocking: the owner's. */
    void (*came)(void *context, struct instant now, int fd);
    /* None can be taken for a while; errno says why. It may free something.
     * `again`: since the last time nobody could be taken. */
    void (*starved)(void *context, struct instant now, bool again);
};

struct acceptor {
    struct loop *loop;
    struct loop_watch watch;
    struct loop_timer timer;
    struct acceptor_owner owner;
    unsigned at_once; /* before others get their turn */
    bool resting;
    bool starving; /* nobody came since it rested */
};

/* `fd` listens without blocking, and is closed with the acceptor; if this
 * fails it stays the caller's. */
MUST_USE enum error acceptor_open(struct acceptor *a, struct loop *loop, int fd,
                                  unsigned at_once,
                                  const struct acceptor_owner *owner);
void acceptor_close(struct acceptor *a);

#endif
