/*
 * How Ethernet frames travel over a vchan, the same in both directions; all
 * numbers are little endian:
 *
 *   greeting  "QVPN"  version(2)=1  flags(2)              once, first
 *   record    size(4) virtio header(10) Ethernet frame    again and again
 *
 * `size` counts what is behind it. Header and frame are what a TAP with
 * IFF_VNET_HDR gives and takes, so that super-packets pass whole.
 *
 * The reader says where the next bytes are to go, so that a frame is copied
 * once, out of the shared ring to where it stays, and all that is looked at
 * is private by then. A peer that breaks the form has no second chance.
 */
#ifndef LINK_RECORD_H
#define LINK_RECORD_H

#include "gateway/link/card.h"

enum {
    RECORD_GREETING_SIZE = 8,
    RECORD_PREFIX_SIZE = 4,
    RECORD_BODY_MIN = CARD_HEADERS_SIZE,
    RECORD_BODY_MAX = CARD_FRAME_MAX,
};

enum { RECORD_TAKES_UDP_GSO = 1 }; /* flags; others are for later versions */

enum record_result {
    RECORD_PARTIAL,
    RECORD_GREETED, /* `flags` are known */
    RECORD_WHOLE,   /* a body of `size` bytes lies where it was put */
    RECORD_MALFORMED,
};

struct record_reader {
    bool greeted, in_body;
    bool failed; /* sticky */
    uint16_t flags;
    uint32_t size; /* of the body */
    uint32_t have; /* bytes of what is coming: greeting, prefix or body */
    uint8_t head[RECORD_GREETING_SIZE];
};

void record_reader_init(struct record_reader *r);

/* Where the next bytes of the stream go, and how many at most; none once it
 * has failed. `body` has RECORD_BODY_MAX bytes, the same until it is whole. */
struct record_room {
    uint8_t *data;
    size_t size;
};
struct record_room record_reader_room(struct record_reader *r, uint8_t *body);

/* So many bytes were put there, at least one. */
MUST_USE enum record_result record_reader_put(struct record_reader *r,
                                              size_t size);

void record_write_greeting(uint8_t out[RECORD_GREETING_SIZE], uint16_t flags);
/* `size`: RECORD_BODY_MIN to RECORD_BODY_MAX. */
void record_write_prefix(uint8_t out[RECORD_PREFIX_SIZE], uint32_t size);

#endif
