/*
 * The header that a TAP or TUN device with IFF_VNET_HDR puts in front of each
 * frame (virtio 1.2 section 5.1.6.1, little endian, ten bytes), to and from the
 * offload data of `struct packet`:
 *
 *   flags(1) gso_type(1) hdr_len(2) gso_size(2) csum_start(2) csum_offset(2)
 *
 * Nothing in it is believed: where the checksum starts and what may be cut
 * follow from the IP header, and a header that says otherwise is malformed.
 * hdr_len is only a hint and not looked at.
 */
#ifndef LINK_VNET_HEADER_H
#define LINK_VNET_HEADER_H

#include "gateway/packet/packet.h"

enum { VNET_HEADER_SIZE = 10 };

/* `between` below: the bytes between this header and the IP packet, those of
 * Ethernet or none. */

/* Sets the offload fields of `packet`, whose data is the IP packet. False:
 * malformed. */
MUST_USE bool vnet_header_read(const uint8_t header[VNET_HEADER_SIZE],
                               uint16_t between, struct packet *packet);

/* The header for `packet`. False: its offload data does not fit what it
 * is. */
MUST_USE bool vnet_header_write(const struct packet *packet, uint16_t between,
                                uint8_t header[VNET_HEADER_SIZE]);

#endif
