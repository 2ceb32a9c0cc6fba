/* The maximum segment size that TCP's ends tell each other: lowered in
 * passing, so that their packets fit the tunnel and never need cutting. */
#ifndef PACKET_MSS_H
#define PACKET_MSS_H

#include "gateway/packet/packet.h"

enum { MSS_MIN = 88 }; /* the least that is ever told */

/* In a SYN (with or without ACK) makes the option at most what fits into
 * packets of `packet_size` bytes; never raises it, adds none where there is
 * none (RFC 9293 3.7.1: 536 or 1220 then). */
void mss_clamp(const struct packet *packet, uint16_t packet_size);

#endif
