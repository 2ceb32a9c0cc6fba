#include "gateway/event/acceptor.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection that broke before its turn came; the next one may be whole. */
static bool was_it_alone(int number)
{
    return number == ECONNABORTED || number == EPROTO || number == EINTR;
}

static void plan_return(struct acceptor *a, struct instant now)
{
    loop_timer_set(&a->timer,
                   instant_after(now, duration_seconds(ACCEPTOR_REST_SECONDS)));
}

/* Not watched at all: some events are told whether asked for or not. */
static void rest(struct acceptor *a, struct instant now)
{
    int number = errno;
    bool again = a->starving;
    a->resting = a->starving = true;
    loop_remove(a->loop, &a->watch);
    plan_return(a, now);
    errno = number;
    a->owner.starved(a->owner.context, now, again);
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct acceptor *a = context;
    (void)events;
    for (unsigned i = 0; i < a->at_once; i++) {
        int fd = accept4(a->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            a->starving = false;
            a->owner.came(a->owner.context, now, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (!was_it_alone(errno)) {
            rest(a, now);
            return;
        }
    }
}

static void rested(void *context, struct instant now)
{
    struct acceptor *a = context;
    if (loop_add(a->loop, &a->watch, LOOP_READ) == OK)
        a->resting = false;
    else
        plan_return(a, now);
}

enum error acceptor_open(struct acceptor *a, struct loop *loop, int fd,
                         unsigned at_once, const struct acceptor_owner *owner)
{
    *a = (struct acceptor){
        .loop = loop,
        .watch = {fd, ready, a},
        .timer = {INSTANT_NEVER, rested, a, NULL},
        .owner = *owner,
        .at_once = at_once,
    };
    enum error error = loop_add(loop, &a->watch, LOOP_READ);
    if (error == OK)
        loop_add_timer(loop, &a->timer);
    return error;
}

void acceptor_close(struct acceptor *a)
{
    if (!a->resting)
        loop_remove(a->loop, &a->watch);
    loop_remove_timer(a->loop, &a->timer);
    close(a->watch.fd);
    a->watch.fd = -1;
}
