#include "gateway/wireguard/timestamp.h"

enum {
    SECOND = 1000000000, /* ns */
    STEP = 1 << 24,      /* ns */
};

/* The TAI label of 1970, without leap seconds since: as the others have it. */
#define EPOCH UINT64_C(0x400000000000000a)

/* The start of its step; steps begin anew with each second. */
static int64_t start_of_step(int64_t time)
{
    int64_t in_second = time % SECOND;
    return time - in_second % STEP;
}

/* The start of the step after it; the last of a second is shorter. */
static int64_t next_step(int64_t time)
{
    int64_t start = start_of_step(time);
    return start % SECOND + STEP < SECOND ? start + STEP
                                          : start - start % SECOND + SECOND;
}

void timestamp_next(int64_t *latest, int64_t now,
                    uint8_t out[WIRE_TIMESTAMP_SIZE])
{
    int64_t next = start_of_step(now > 0 ? now : 0);
    if (next <= *latest)
        next = next_step(*latest);
    *latest = next;
    store_u64(out, EPOCH + (uint64_t)(next / SECOND));
    store_u32(out + 8, (uint32_t)(next % SECOND));
}

bool timestamp_later(const uint8_t a[WIRE_TIMESTAMP_SIZE],
                     const uint8_t b[WIRE_TIMESTAMP_SIZE])
{
    return memcmp(a, b, WIRE_TIMESTAMP_SIZE) > 0;
}
