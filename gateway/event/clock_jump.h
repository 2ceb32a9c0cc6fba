/*
 * Whether the machine slept, told from its clocks. In a suspend of its own
 * CLOCK_BOOTTIME goes on and CLOCK_MONOTONIC does not. A domain that was
 * paused while the computer slept sees none of it; but afterwards somebody
 * puts its wall clock right, which then is far ahead of what it was.
 */
#ifndef EVENT_CLOCK_JUMP_H
#define EVENT_CLOCK_JUMP_H

#include "gateway/base/instant.h"

enum {
    CLOCK_JUMP_ASLEEP = 5, /* s; a shorter sleep nobody has noticed */
    CLOCK_JUMP_WALL = 30,  /* s; less may be a clock's first synchronisation */
    CLOCK_JUMP_APART = 1,  /* s; between the readings of one take: too late for
                              them to belong together */
};

/* Microseconds, read in this order. */
struct clock_jump_reading {
    int64_t monotonic, boot, wall, monotonic_again;
};

/* All zero: nothing is known yet. */
struct clock_jump {
    bool known;
    int64_t asleep; /* boot beyond monotonic */
    int64_t offset; /* wall beyond boot */
};

/* How long the machine slept since the reading before; 0: it did not. */
struct duration clock_jump_take(struct clock_jump *j,
                                const struct clock_jump_reading *r);

#endif
