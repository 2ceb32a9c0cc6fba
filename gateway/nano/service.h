/*
 * The program as the first process keeps it: an unprivileged user's, started
 * anew whenever it ends or is silent for too long, and asked to end before
 * the domain does. It tells how it is by systemd's notification protocol
 * (gateway/event/notify.h); what init is to know besides comes the same way.
 */
#ifndef NANO_SERVICE_H
#define NANO_SERVICE_H

#include "gateway/base/bytes.h"
#include "gateway/event/loop.h"

#include <sys/types.h>

struct service_owner {
    void *context;
    void (*ready)(void *context, struct instant now);
    /* The value of a line X_UPLINK=... */
    void (*uplink)(void *context, struct instant now, struct bytes line);
    /* After service_stop(): it is gone. */
    void (*stopped)(void *context);
};

/* Embedded in its owner. */
struct service {
    struct service_owner owner;
    struct loop *loop;
    const char *const *command; /* a path, and arguments; NULL-terminated */
    uid_t user;
    gid_t group;
    pid_t process;            /* 0: none runs */
    struct loop_watch end;    /* pidfd */
    struct loop_watch notify; /* what it says */
    struct loop_timer timer;  /* to start it, or to lose patience */
    bool stopping;
};

/* Starts it at the loop's first turn. False if the system has no sockets. */
MUST_USE bool service_open(struct service *s, struct loop *loop,
                           const char *const *command, uid_t user, gid_t group,
                           const struct service_owner *owner);
/* It may say goodbye, and is killed after a while. */
void service_stop(struct service *s);

#endif
