/*
 * The timestamps of initiations (TAI64N). A responder takes only one that is
 * greater than all before it, for as long as it knows the peer: so they never
 * fall, not even where the clock does, and never run ahead of the clock by
 * more than what that needs. They tell the time to 2^24 ns only.
 */
#ifndef WIREGUARD_TIMESTAMP_H
#define WIREGUARD_TIMESTAMP_H

#include "gateway/wireguard/wire.h"

/* The next one, when the wall clock says `now`. Both are nanoseconds since
 * 1970; *latest, 0 at first, is the last one sent, and outlives connections. */
void timestamp_next(int64_t *latest, int64_t now,
                    uint8_t out[WIRE_TIMESTAMP_SIZE]);

/* `a` is later than `b`. */
bool timestamp_later(const uint8_t a[WIRE_TIMESTAMP_SIZE],
                     const uint8_t b[WIRE_TIMESTAMP_SIZE]);

#endif
