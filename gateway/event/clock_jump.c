#include "gateway/event/clock_jump.h"

struct duration clock_jump_take(struct clock_jump *j,
                                const struct clock_jump_reading *r)
{
    struct clock_jump before = *j;
    if (r->monotonic_again - r->monotonic >
        duration_seconds(CLOCK_JUMP_APART).us)
        return (struct duration){0};

    *j = (struct clock_jump){
        .known = true,
        .asleep = r->boot - r->monotonic,
        .offset = r->wall - r->boot,
    };
    if (!before.known)
        return (struct duration){0};
    int64_t asleep = j->asleep - before.asleep;
    int64_t ahead = j->offset - before.offset;
    if (asleep >= duration_seconds(CLOCK_JUMP_ASLEEP).us)
        return (struct duration){asleep};
    if (ahead >= duration_seconds(CLOCK_JUMP_WALL).us)
        return (struct duration){ahead};
    return (struct duration){0};
}
