/*
 * Takes over what a qube says about checksum and segmentation offload, but only
 * where the packet's headers say the same. Shared by the links, whose wires put
 * it differently: virtio's header (vnet_header), Xen's flags and extra-info
 * slots (netback).
 */
#ifndef LINK_OFFLOAD_H
#define LINK_OFFLOAD_H

#include "gateway/packet/packet.h"

/* Kinds of super-packets, as wires tell them apart. */
enum offload_gso {
    OFFLOAD_GSO_NONE,
    OFFLOAD_GSO_TCP_IPV4,
    OFFLOAD_GSO_TCP_IPV6,
    OFFLOAD_GSO_UDP,
};

/* The place of TCP or UDP in an IP packet. */
struct offload_transport {
    uint8_t version;
    uint8_t protocol;
    uint8_t flags;            /* of TCP */
    uint16_t start;           /* of the TCP or UDP header */
    uint16_t payload;         /* behind it */
    uint16_t checksum_offset; /* into it */
    uint32_t size;            /* of the packet, without padding behind it */
};

/* `head` holds the IP packet up to its TCP or UDP payload at least. False:
 * neither TCP nor UDP, or a fragment; `size` is not set. */
MUST_USE bool offload_find(struct bytes head, struct offload_transport *out);

/* The same for a received packet, all of which lies at its `data`. */
MUST_USE bool offload_locate(const struct packet *packet,
                             struct offload_transport *out);

/* The packet has its checksum still to be filled, and is a super-packet
 * where `gso` says so; its size becomes that of the IP packet. False, and
 * nothing is changed: it is not of that kind. */
MUST_USE bool offload_claim(struct packet *packet,
                            const struct offload_transport *transport,
                            enum offload_gso gso, uint16_t gso_size);

/* Puts the sum of the pseudo-header where the checksum belongs: for a peer
 * that asks for segments and has filled the checksum of the whole. */
void offload_write_pseudo_sum(struct packet *packet,
                              const struct offload_transport *transport);

#endif
