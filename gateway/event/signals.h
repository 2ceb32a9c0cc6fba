/*
 * TERM, INT, HUP and USR1 as events of the loop (signalfd). From opening on
 * they interrupt nothing, and SIGPIPE is ignored: who writes into a
 * connection that is gone learns it from the call.
 */
#ifndef EVENT_SIGNALS_H
#define EVENT_SIGNALS_H

#include "gateway/event/loop.h"

#include <signal.h>

/* Embedded in its owner. */
struct signals {
    struct loop *loop;
    struct loop_watch watch;
    sigset_t before; /* the process's mask before */
    void (*received)(void *context, struct instant now, int signal);
    void *context;
};

/* `received` is told SIGTERM, SIGINT, SIGHUP or SIGUSR1. The log says what
 * failed. */
enum error signals_open(struct signals *s, struct loop *loop,
                        void (*received)(void *context, struct instant now,
                                         int signal),
                        void *context);
/* They mean again what they meant before. */
void signals_close(struct signals *s);

#endif
