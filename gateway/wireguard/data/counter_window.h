/*
 * Remembers which counters of a key were seen (RFC 6479): one above the highest
 * is new, one at most 8128 below it is taken once. Counters begin at 0 and end
 * before the last 2^13, so that no arithmetic on them wraps.
 */
#ifndef WIREGUARD_DATA_COUNTER_WINDOW_H
#define WIREGUARD_DATA_COUNTER_WINDOW_H

#include "gateway/base/bytes.h"

enum { COUNTER_WINDOW_BITS = 8192, COUNTER_WINDOW_SIZE = 8192 - 64 };

/* The first counter that is neither sent nor taken. */
#define COUNTER_WINDOW_LIMIT (UINT64_MAX - COUNTER_WINDOW_BITS)

struct counter_window { /* starts zeroed */
    bool any;
    uint64_t highest;
    uint64_t bits[COUNTER_WINDOW_BITS / 64];
};

/* Asked only after authentication: true, and remembered, if it is new. */
MUST_USE bool counter_window_accept(struct counter_window *w, uint64_t counter);

#endif
