/*
 * The header of `fragment`, in front of each packet or piece of one, between
 * encryption and compression's framing; big-endian (openvpn: fragment.h):
 *
 *   bit  31    29 28               15 14        10 9               2 1    0
 *       +--------+-------------------+------------+-----------------+------+
 *       |   0    |     size / 4      |   number   |    sequence     | type |
 *       +--------+-------------------+------------+-----------------+------+
 *
 * All pieces of a packet have its sequence; `number` counts them from 0. The
 * size is in the last one only, and is that of each of the others. Before a
 * whole packet all bits are 0.
 */
#ifndef OPENVPN_DATA_FRAGMENT_HEADER_H
#define OPENVPN_DATA_FRAGMENT_HEADER_H

#include "gateway/base/bytes.h"

enum { FRAGMENT_HEADER_SIZE = 4 };

enum fragment_type {
    FRAGMENT_WHOLE,
    FRAGMENT_MORE, /* others follow */
    FRAGMENT_LAST,
};

struct fragment_header {
    enum fragment_type type;
    uint8_t sequence;
    uint8_t number;
    uint16_t size; /* of the other pieces; LAST only */
};

/* False for a type that is none, and where a whole packet has a number. */
MUST_USE bool fragment_header_read(struct reader *r,
                                   struct fragment_header *out);
void fragment_header_write(struct writer *w, const struct fragment_header *h);

#endif
