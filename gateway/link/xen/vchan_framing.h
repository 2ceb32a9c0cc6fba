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
#ifndef LINK_XEN_VCHAN_FRAMING_H
#define LINK_XEN_VCHAN_FRAMING_H

#include "gateway/link/card.h"

enum {
    VCHAN_FRAMING_GREETING_SIZE = 8,
    VCHAN_FRAMING_PREFIX_SIZE = 4,
    VCHAN_FRAMING_BODY_MIN = CARD_HEADERS_SIZE,
    VCHAN_FRAMING_BODY_MAX = CARD_FRAME_MAX,
};

enum {
    VCHAN_FRAMING_TAKES_UDP_GSO = 1
}; /* flags; others are for later versions */

enum vchan_framing_result {
    VCHAN_FRAMING_PARTIAL,
    VCHAN_FRAMING_GREETED, /* `flags` are known */
    VCHAN_FRAMING_WHOLE,   /* a body of `size` bytes lies where it was put */
    VCHAN_FRAMING_MALFORMED,
};

struct vchan_framing_reader {
    bool greeted, in_body;
    bool failed; /* sticky */
    uint16_t flags;
    uint32_t size; /* of the body */
    uint32_t have; /* bytes of what is coming: greeting, prefix or body */
    uint8_t head[VCHAN_FRAMING_GREETING_SIZE];
};

void vchan_framing_reader_init(struct vchan_framing_reader *r);

/* The memory for the next bytes of the stream, and how many at most; none once
 * it has failed. `body` has VCHAN_FRAMING_BODY_MAX bytes, the same until it is
 * whole. */
struct vchan_framing_room {
    uint8_t *data;
    size_t size;
};
struct vchan_framing_room
vchan_framing_reader_room(struct vchan_framing_reader *r, uint8_t *body);

/* So many bytes were put there, at least one. */
MUST_USE enum vchan_framing_result
vchan_framing_reader_put(struct vchan_framing_reader *r, size_t size);

void vchan_framing_write_greeting(uint8_t out[VCHAN_FRAMING_GREETING_SIZE],
                                  uint16_t flags);
/* `size`: VCHAN_FRAMING_BODY_MIN to VCHAN_FRAMING_BODY_MAX. */
void vchan_framing_write_prefix(uint8_t out[VCHAN_FRAMING_PREFIX_SIZE],
                                uint32_t size);

#endif
