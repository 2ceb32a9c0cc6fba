/* Lets an event loop turn for a while. */
#ifndef TESTS_TURN_H
#define TESTS_TURN_H

#include "gateway/event/loop.h"
#include "tests/unit.h"

static inline void turn_is_over(void *context, struct instant now)
{
    (void)now;
    loop_quit(context);
}

static inline void turn_for(struct loop *loop, int64_t milliseconds)
{
    struct instant now = loop_now(loop);
    struct loop_timer end = {
        instant_after(now, duration_milliseconds(milliseconds)), turn_is_over,
        loop, NULL};
    loop_add_timer(loop, &end);
    enum error error = loop_run(loop);
    loop_remove_timer(loop, &end);
    assert_int_equal(error, OK);
}

#endif
