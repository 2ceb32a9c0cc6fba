/*
 * Which packet numbers were seen (openvpn: packet_id.c). A number above the
 * highest is new; an older one is accepted once, if it is within the window
 * and not older than its time. Asked only after authentication.
 */
#ifndef OPENVPN_REPLAY_WINDOW_H
#define OPENVPN_REPLAY_WINDOW_H

#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

enum {
    REPLAY_WINDOW_DEFAULT = 64, /* packets; OpenVPN replay-window */
    REPLAY_WINDOW_MAX = 65536,
    REPLAY_SECONDS_DEFAULT = 15,
    REPLAY_SECONDS_MAX = 600,
};

struct replay_window {
    uint64_t highest;        /* 0: nothing seen yet */
    struct instant raised;   /* when `highest` was last raised */
    struct instant floor_at; /* when `floor` was taken */
    uint64_t floor;          /* numbers at or below it are too old in time */
    uint32_t size;           /* packets, a multiple of 64 */
    uint32_t seconds;
    uint64_t *bits; /* ring of `size` bits */
};

/* `size` is rounded up to a multiple of 64. False when memory is short. */
MUST_USE bool replay_window_init(struct replay_window *w, uint32_t size,
                                 uint32_t seconds);
void replay_window_clear(struct replay_window *w);
/* Forgets everything seen; keeps size and time. */
void replay_window_reset(struct replay_window *w);

/* True and remembered if `number` may be accepted now. Never for 0. */
MUST_USE bool replay_window_accept(struct replay_window *w, struct instant now,
                                   uint64_t number);

#endif
