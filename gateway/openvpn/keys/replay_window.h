/*
 * Remembers which packet numbers were seen (openvpn: packet_id.c; RFC 6479 for
 * the ring). A number above the highest is new; an older one is accepted once,
 * if it is within the window and not older than its time. Asked only after
 * authentication.
 *
 * Time is kept by one mark instead of one for each number: `seconds` after
 * the mark was set, all below it are too old, and the next mark is set. So a
 * late number is refused between `seconds` and twice that after a higher one
 * came.
 */
#ifndef OPENVPN_KEYS_REPLAY_WINDOW_H
#define OPENVPN_KEYS_REPLAY_WINDOW_H

#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

enum {
    REPLAY_WINDOW_DEFAULT = 64, /* packets; OpenVPN replay-window */
    REPLAY_WINDOW_MAX = 65536,
    REPLAY_SECONDS_DEFAULT = 15,
};

struct replay_window {
    uint64_t highest;      /* 0: nothing seen yet */
    struct instant raised; /* when `highest` was last raised */
    uint64_t floor;        /* numbers at or below it are too old in time */
    uint64_t mark;         /* what `floor` becomes next */
    struct instant marked; /* when `mark` was the highest */
    uint32_t size;         /* packets, a multiple of 64 */
    uint32_t seconds;      /* 0: no limit in time */
    uint32_t words;        /* of `bits`, a power of two */
    uint64_t *bits;        /* ring; at least 64 more than `size` */
};

/* `size` is rounded up to a multiple of 64, 0 as well. False when memory is
 * short. */
MUST_USE bool replay_window_init(struct replay_window *w, uint32_t size,
                                 uint32_t seconds);
void replay_window_clear(struct replay_window *w);
/* Forgets everything seen; keeps size and time. */
void replay_window_reset(struct replay_window *w);

/* True and remembered if `number` may be accepted now. Never for 0. */
MUST_USE bool replay_window_accept(struct replay_window *w, struct instant now,
                                   uint64_t number);
/* The same for numbers that come with the time at which their count began: a
 * later time starts anew, an earlier one is too old. *began is the time of
 * those in `w`, 0 at first. */
MUST_USE bool replay_window_accept_long(struct replay_window *w,
                                        uint32_t *began, struct instant now,
                                        uint32_t time, uint32_t number);

#endif
