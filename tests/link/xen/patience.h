/* Lets a test's loop turn for a while, or until something is so. */
#ifndef TESTS_LINK_XEN_PATIENCE_H
#define TESTS_LINK_XEN_PATIENCE_H

#include "gateway/event/loop.h"

struct patience {
    struct loop *loop;
    struct loop_timer clock;
    struct instant limit;
    bool (*condition)(void); /* or NULL */
};

void patience_init(struct patience *p, struct loop *loop);
void patience_clear(struct patience *p);

void patience_turn(struct patience *p, int64_t milliseconds);

/* Asks again and again; fails the test when it takes a minute. */
void patience_until(struct patience *p, bool (*condition)(void));

#endif
