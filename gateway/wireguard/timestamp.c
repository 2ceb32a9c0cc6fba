#include "gateway/wireguard/timestamp.h"

enum {
    STEP_SHIFT = 24,
    STEPS = 60, /* that begin in a second: 59 * 2^24 ns < 1 s */
};

/* The TAI label of 1970, without leap seconds since: as the others have it. */
#define EPOCH UINT64_C(0x400000000000000a)

static struct timestamp of_clock(int64_t unix_us)
{
    int64_t seconds = unix_us / 1000000;
    uint32_t ns = (uint32_t)(unix_us % 1000000) * 1000;
    return (struct timestamp){seconds, ns >> STEP_SHIFT};
}

static bool later(const struct timestamp *a, const struct timestamp *b)
{
    return a->seconds != b->seconds ? a->seconds > b->seconds
                                    : a->step > b->step;
}

void timestamp_next(struct timestamp *last, int64_t unix_us,
                    uint8_t out[WIRE_TIMESTAMP_SIZE])
{
    struct timestamp next = of_clock(unix_us > 0 ? unix_us : 0);
    if (!later(&next, last)) {
        next = *last;
        if (++next.step == STEPS) {
            next.step = 0;
            next.seconds++;
        }
    }
    *last = next;
    store_u64(out, EPOCH + (uint64_t)next.seconds);
    store_u32(out + 8, next.step << STEP_SHIFT);
}

bool timestamp_later(const uint8_t a[WIRE_TIMESTAMP_SIZE],
                     const uint8_t b[WIRE_TIMESTAMP_SIZE])
{
    return memcmp(a, b, WIRE_TIMESTAMP_SIZE) > 0;
}
