/*
 * A turn is: wait, serve what is ready, then the timers. Descriptors come
 * first so that a peer whose packets wait in a socket after a stall is not
 * declared dead by a timer that looked before anybody had read them.
 *
 * The wait itself has no time limit: epoll's would stand still during a
 * suspend. One timerfd on CLOCK_BOOTTIME wakes it. It is moved only to ring
 * earlier: a deadline that is pushed on with every packet costs a system call
 * when the old one rings, and none before.
 *
 * There are about ten timers, so the earliest is found by looking at all of
 * them, and setting one is a store.
 */
#include "gateway/event/loop.h"
#include "gateway/base/log.h"
#include "gateway/event/clock_jump.h"
#include "gateway/event/pace.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    READY_MAX = 64,
    LOOK_EVERY = 1, /* s; at the clocks, whether the machine slept */
    NAP_SLACK = 1,  /* us that a nap may be longer; Linux' default is 50 */
};

struct loop {
    int epoll;
    struct loop_watch alarm; /* the timerfd */
    struct instant rings;    /* when it does; INSTANT_NEVER: not */
    bool quitting;
    struct pace pace;
    struct clock_jump clocks;
    struct instant next_look; /* at them */
    void (*slept)(void *context, struct instant now, struct duration length);
    void *slept_context;
    struct loop_timer *timers;
    struct loop_timer *next_timer; /* of the round under way */
    int ready_next;                /* of the turn under way */
    int ready_count;
    struct epoll_event ready[READY_MAX];
};

static void alarm_rang(void *context, struct instant now, unsigned events)
{
    struct loop *loop = context;
    uint64_t times;
    (void)now;
    (void)events;
    if (read(loop->alarm.fd, &times, sizeof times) > 0)
        loop->rings = INSTANT_NEVER;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->rings = INSTANT_NEVER;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->alarm = (struct loop_watch){
        .fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
        .ready = alarm_rang,
        .context = loop,
    };
    if (loop->epoll < 0 || loop->alarm.fd < 0 ||
        loop_add(loop, &loop->alarm, LOOP_READ) != OK) {
        log_error("loop: cannot start: %s", strerror(errno));
        loop_free(loop);
        return NULL;
    }
    prctl(PR_SET_TIMERSLACK, NAP_SLACK * 1000UL);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->alarm.fd >= 0)
        close(loop->alarm.fd);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop);
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct instant loop_now(const struct loop *loop)
{
    (void)loop;
    return (struct instant){read_clock(CLOCK_BOOTTIME)};
}

int64_t loop_wall_clock(const struct loop *loop)
{
    (void)loop;
    return read_clock(CLOCK_REALTIME);
}

void loop_on_sleep(struct loop *loop,
                   void (*slept)(void *context, struct instant now,
                                 struct duration length),
                   void *context)
{
    loop->slept = slept;
    loop->slept_context = context;
}

static void look_at_clocks(struct loop *loop, struct instant now)
{
    if (!loop->slept || instant_before(now, loop->next_look))
        return;
    loop->next_look = instant_after(now, duration_seconds(LOOK_EVERY));
    struct clock_jump_reading r;
    r.monotonic = read_clock(CLOCK_MONOTONIC);
    r.boot = read_clock(CLOCK_BOOTTIME);
    r.wall = read_clock(CLOCK_REALTIME);
    r.monotonic_again = read_clock(CLOCK_MONOTONIC);
    struct duration length = clock_jump_take(&loop->clocks, &r);
    if (length.us > 0)
        loop->slept(loop->slept_context, now, length);
}

static enum error control(struct loop *loop, int operation,
                          struct loop_watch *watch, unsigned events)
{
    struct epoll_event event = {.data.ptr = watch};
    if (events & LOOP_READ)
        event.events |= EPOLLIN;
    if (events & LOOP_WRITE)
        event.events |= EPOLLOUT;
    if (epoll_ctl(loop->epoll, operation, watch->fd, &event) != 0)
        return error_of_errno(errno);
    return OK;
}

enum error loop_add(struct loop *loop, struct loop_watch *watch,
                    unsigned events)
{
    return control(loop, EPOLL_CTL_ADD, watch, events);
}

enum error loop_change(struct loop *loop, struct loop_watch *watch,
                       unsigned events)
{
    return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    control(loop, EPOLL_CTL_DEL, watch, 0);
    /* It may be ready in this very turn, and gone when its time comes. */
    for (int i = loop->ready_next; i < loop->ready_count; i++)
        if (loop->ready[i].data.ptr == watch)
            loop->ready[i].data.ptr = NULL;
}

void loop_add_timer(struct loop *loop, struct loop_timer *timer)
{
    if (timer->deadline.us == 0)
        timer->deadline = INSTANT_NEVER;
    timer->next = loop->timers;
    loop->timers = timer;
}

void loop_remove_timer(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer **link = &loop->timers;
    while (*link && *link != timer)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = timer->next;
    if (loop->next_timer == timer)
        loop->next_timer = timer->next;
    timer->next = NULL;
}

void loop_timer_set(struct loop_timer *timer, struct instant deadline)
{
    timer->deadline = deadline;
}

static struct instant earliest_deadline(const struct loop *loop)
{
    struct instant earliest = INSTANT_NEVER;
    for (const struct loop_timer *t = loop->timers; t; t = t->next)
        earliest = instant_earlier(earliest, t->deadline);
    return earliest;
}

static void arm_alarm(struct loop *loop)
{
    struct instant earliest = earliest_deadline(loop);
    if (!instant_before(earliest, loop->rings))
        return;
    /* Zero would disarm it; a microsecond after boot has passed as well. */
    int64_t us = earliest.us > 0 ? earliest.us : 1;
    struct itimerspec when = {
        .it_value = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000},
    };
    int failed =
        timerfd_settime(loop->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(!failed);
    loop->rings = earliest;
}

static void serve_ready(struct loop *loop, struct instant now)
{
    while (loop->ready_next < loop->ready_count) {
        struct epoll_event event = loop->ready[loop->ready_next++];
        struct loop_watch *watch = event.data.ptr;
        if (!watch)
            continue;
        unsigned events = 0;
        if (event.events & EPOLLIN)
            events |= LOOP_READ;
        if (event.events & EPOLLOUT)
            events |= LOOP_WRITE;
        if (event.events & (EPOLLERR | EPOLLHUP))
            events |= LOOP_ERROR;
        watch->ready(watch->context, now, events);
    }
}

static void expire_timers(struct loop *loop, struct instant now)
{
    struct loop_timer *timer = loop->timers;
    while (timer) {
        loop->next_timer = timer->next;
        if (instant_reached(now, timer->deadline)) {
            timer->deadline = INSTANT_NEVER;
            timer->expired(timer->context, now);
        }
        timer = loop->next_timer;
    }
}

static int look(struct loop *loop, int timeout)
{
    return epoll_wait(loop->epoll, loop->ready, READY_MAX, timeout);
}

/* How many descriptors are ready, when some are; -1 and errno. */
static int wait_for_work(struct loop *loop)
{
    static const struct timespec nap = {.tv_nsec = PACE_NAP * 1000L};
    bool naps = pace_turn_ended(&loop->pace, loop_now(loop));
    int count = 0;
    if (naps) {
        nanosleep(&nap, NULL); /* a signal is a descriptor, too */
        count = look(loop, 0);
        if (count == 0)
            pace_napped_in_vain(&loop->pace);
    }
    bool found = count != 0;
    if (!found)
        count = look(loop, -1);
    pace_turn_begins(&loop->pace, loop_now(loop), found);
    return count;
}

enum error loop_run(struct loop *loop)
{
    while (!loop->quitting) {
        arm_alarm(loop);
        int count = wait_for_work(loop);
        if (count < 0 && errno != EINTR) {
            log_error("loop: epoll_wait: %s", strerror(errno));
            return error_of_errno(errno);
        }
        struct instant now = loop->pace.began;
        loop->ready_next = 0;
        loop->ready_count = count > 0 ? count : 0;
        look_at_clocks(loop, now);
        serve_ready(loop, now);
        expire_timers(loop, now);
    }
    loop->quitting = false;
    return OK;
}

void loop_quit(struct loop *loop)
{
    loop->quitting = true;
}
