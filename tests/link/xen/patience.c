#include "tests/link/xen/patience.h"

#include "tests/unit.h"

enum { LIMIT = 60 /* s */ };

static void tick(void *context, struct instant now)
{
    struct patience *p = context;
    if ((p->condition && p->condition()) || !instant_before(now, p->limit))
        loop_quit(p->loop);
    else
        loop_timer_set(&p->clock, instant_after(now, duration_milliseconds(1)));
}

void patience_init(struct patience *p, struct loop *loop)
{
    *p = (struct patience){
        .loop = loop,
        .clock = {.expired = tick, .context = p},
    };
    loop_add_timer(loop, &p->clock);
}

void patience_clear(struct patience *p)
{
    loop_remove_timer(p->loop, &p->clock);
}

static void turn(struct patience *p, struct duration d, bool (*condition)(void))
{
    struct instant now = loop_now(p->loop);
    p->condition = condition;
    p->limit = instant_after(now, d);
    loop_timer_set(&p->clock, now);
    assert_int_equal(loop_run(p->loop), OK);
}

void patience_turn(struct patience *p, int64_t milliseconds)
{
    turn(p, duration_milliseconds(milliseconds), NULL);
}

void patience_until(struct patience *p, bool (*condition)(void))
{
    turn(p, duration_seconds(LIMIT), condition);
    assert_true(condition());
}
