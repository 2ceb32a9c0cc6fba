/*
 * LZO1X and LZ4 packets become what they were: servers that compress send them
 * whatever we say. Only this direction exists here. The packets get memory of
 * ours, a place for each datagram that a burst may have; what would be larger
 * than a place, or does not end where its input ends, is refused.
 */
#ifndef OPENVPN_DATA_DECOMPRESSION_H
#define OPENVPN_DATA_DECOMPRESSION_H

#include "gateway/packet/burst.h"

/* Bytes; such servers have a tun-mtu of 1500. */
enum { DECOMPRESSION_PACKET_MAX = 2048 };

enum decompression_format { DECOMPRESSION_LZO, DECOMPRESSION_LZ4 };

struct decompression; /* heap */

/* NULL when memory is short. */
struct decompression *decompression_new(void);
void decompression_free(struct decompression *e); /* wipes */

/* Puts the packet in the place of the inner bytes, which are compressed; its
 * memory is valid until the next burst. False: they are no packet, and the
 * datagram is as it was. */
MUST_USE bool decompression_expand(struct decompression *e,
                                   enum decompression_format format,
                                   struct datagram *d);

#endif
