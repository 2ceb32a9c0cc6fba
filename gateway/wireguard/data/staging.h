/*
 * Packets that wait for a key: copies, at most 128, of which the oldest gives
 * way. Memory is there only while one waits, for what waits is rare.
 */
#ifndef WIREGUARD_DATA_STAGING_H
#define WIREGUARD_DATA_STAGING_H

#include "gateway/base/bytes.h"

enum { STAGING_MAX = 128 };

struct staging {     /* starts zeroed */
    uint8_t *memory; /* STAGING_MAX places of `place` bytes */
    uint32_t place;
    uint16_t first, count;
    uint16_t sizes[STAGING_MAX];
};

enum staging_result {
    STAGING_KEPT,
    STAGING_KEPT_FOR_ANOTHER, /* the oldest is gone */
    STAGING_REFUSED,          /* memory is short, or it is too large */
};

/* Packets of one stay have at most `largest` bytes, as the first said. */
enum staging_result staging_put(struct staging *s, struct bytes packet,
                                uint32_t largest);
/* The oldest, borrowed until the next call; false where none is. */
MUST_USE bool staging_take(struct staging *s, struct bytes *out);
/* Wipes. How many there were. */
unsigned staging_clear(struct staging *s);

#endif
