/* Lets an event loop turn for a while, and, however busy the machine is, so
 * often that who waits for another's turn has it. */
#ifndef TESTS_TURN_H
#define TESTS_TURN_H

#include "gateway/event/loop.h"
#include "tests/unit.h"

enum { TURNS_MIN = 8 };

struct turn {
    struct loop *loop;
    struct loop_timer next;
    struct duration step;
    unsigned left;
};

static inline void turn_is_over(void *context, struct instant now)
{
    struct turn *turn = context;
    if (--turn->left == 0)
        loop_quit(turn->loop);
    else
        loop_timer_set(&turn->next, instant_after(now, turn->step));
}

static inline void turn_for(struct loop *loop, int64_t milliseconds)
{
    struct turn turn = {.loop = loop,
                        .step = {milliseconds * 1000 / TURNS_MIN},
                        .left = TURNS_MIN};
    turn.next = (struct loop_timer){
        .deadline = instant_after(loop_now(loop), turn.step),
        .expired = turn_is_over,
        .context = &turn,
    };
    loop_add_timer(loop, &turn.next);
    enum error error = loop_run(loop);
    loop_remove_timer(loop, &turn.next);
    assert_int_equal(error, OK);
}

/* Until it holds, however busy the machine is. */
static inline void turn_until(struct loop *loop,
                              bool (*holds)(const void *context),
                              const void *context)
{
    enum { SLICE = 5, PATIENCE = 30000 /* ms */ };
    for (int waited = 0; !holds(context); waited += SLICE) {
        assert_true(waited < PATIENCE);
        turn_for(loop, SLICE);
    }
}

#endif
