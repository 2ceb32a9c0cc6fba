/*
 * One epoll loop: descriptors, one deadline per timer, and the only clock.
 * Callbacks run to completion; none may block.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include "gateway/base/error.h"
#include "gateway/base/instant.h"

struct loop; /* heap */

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4 };

/* `events`: LOOP_ bits; ERROR is reported whether asked for or not. */
typedef void loop_ready(void *context, struct instant now, unsigned events);

/* Embedded in its owner; may be removed in its own or another callback. */
struct loop_watch {
    int fd;
    loop_ready *ready;
    void *context;
};

/* Embedded in its owner. Disarmed before `expired` is called, which may set
 * it again or remove it. */
struct loop_timer {
    struct instant deadline; /* private: loop_timer_set() */
    void (*expired)(void *context, struct instant now);
    void *context;
    struct loop_timer *next; /* private */
};

/* NULL when the system gives no descriptors; the log says why. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* CLOCK_BOOTTIME, so that a suspend counts. */
struct instant loop_now(const struct loop *loop);

/* Microseconds since 1970, for people and files; nothing is timed by it. */
int64_t loop_wall_clock(const struct loop *loop);

enum error loop_add(struct loop *loop, struct loop_watch *watch,
                    unsigned events);
enum error loop_change(struct loop *loop, struct loop_watch *watch,
                       unsigned events);
/* Before the descriptor is closed. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/* Registers once, disarmed unless it was set before; INSTANT_NEVER
 * disarms. */
void loop_add_timer(struct loop *loop, struct loop_timer *timer);
void loop_remove_timer(struct loop *loop, struct loop_timer *timer);
void loop_timer_set(struct loop_timer *timer, struct instant deadline);

/* Called at the beginning of a turn, if the machine slept since the one
 * before (clock_jump.h): peers may have forgotten us. */
void loop_on_sleep(struct loop *loop,
                   void (*slept)(void *context, struct instant now,
                                 struct duration length),
                   void *context);

/* Turns until loop_quit(). */
enum error loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

#endif
