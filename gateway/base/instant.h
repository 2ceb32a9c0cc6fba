/*
 * Time as a type of its own, so that a moment and a length cannot be mixed.
 * Microseconds of the boot clock; only event/loop.c reads it, everyone else
 * is told `now`.
 */
#ifndef BASE_INSTANT_H
#define BASE_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

struct instant {
    int64_t us;
};

struct duration {
    int64_t us;
};

/* Later than every moment: "no deadline". */
#define INSTANT_NEVER ((struct instant){INT64_MAX})

static inline struct duration duration_seconds(int64_t seconds)
{
    return (struct duration){seconds * 1000000};
}

static inline struct duration duration_milliseconds(int64_t milliseconds)
{
    return (struct duration){milliseconds * 1000};
}

static inline bool instant_is_never(struct instant t)
{
    return t.us == INT64_MAX;
}

static inline struct instant instant_after(struct instant t, struct duration d)
{
    struct instant sum;
    if (instant_is_never(t) || __builtin_add_overflow(t.us, d.us, &sum.us))
        return INSTANT_NEVER;
    return sum;
}

static inline struct duration instant_since(struct instant later,
                                            struct instant earlier)
{
    return (struct duration){later.us - earlier.us};
}

/* `deadline` has come. */
static inline bool instant_reached(struct instant now, struct instant deadline)
{
    return now.us >= deadline.us;
}

static inline bool instant_before(struct instant a, struct instant b)
{
    return a.us < b.us;
}

static inline struct instant instant_earlier(struct instant a, struct instant b)
{
    return a.us < b.us ? a : b;
}

static inline int64_t instant_to_seconds(struct instant t)
{
    return t.us / 1000000;
}

#endif
