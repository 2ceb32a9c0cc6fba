/*
 * LZO1X packets become what they were: servers with `comp-lzo yes` send them
 * whatever we say. Only this direction exists here. The packets get memory of
 * ours, a place for each datagram that a burst may have; what would be larger
 * than a place, or does not end where its input ends, is refused.
 */
#ifndef OPENVPN_DATA_COMPRESSION_LZO_H
#define OPENVPN_DATA_COMPRESSION_LZO_H

#include "gateway/packet/burst.h"

enum {
    COMPRESSION_LZO_PACKET_MAX = 2048
}; /* bytes; such servers have a
      tun-mtu of 1500 */

struct compression_lzo; /* heap */

/* NULL when memory is short. */
struct compression_lzo *compression_lzo_new(void);
void compression_lzo_free(struct compression_lzo *l); /* wipes */

/* Puts the packet in the place of the inner bytes, which are LZO1X; its memory
 * is valid until the next burst. False: they are no packet, and the datagram
 * is as it was. */
MUST_USE bool compression_lzo_expand(struct compression_lzo *l,
                                     struct datagram *d);

#endif
