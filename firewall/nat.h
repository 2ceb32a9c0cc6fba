/*
 * Rewriting a packet's addresses, ports and time to live in place, with its
 * checksums patched and never recomputed: a wrong one stays wrong.
 */
#ifndef FIREWALL_NAT_H
#define FIREWALL_NAT_H

#include "gateway/packet/packet.h"

/* Both ends as they shall be. Ports are not used where the protocol has
 * none; of ICMP echo, `source_port` is the identifier. */
struct nat_ends {
    const uint8_t *source, *destination; /* address bytes */
    uint16_t source_port, destination_port;
};

/* Rewrites the packet and takes one off its time to live, which is above 1. */
void nat_rewrite(struct packet *packet, const struct nat_ends *ends);

/* IPv4: gives the packet another identification. */
void nat_set_id(struct ip_packet *ip, uint16_t id);

/* Rewrites an ICMP error: the quoted packet's ends, its own ends, its time to
 * live, its checksum. */
void nat_rewrite_error(struct packet *packet, struct ip_packet *quoted,
                       const struct nat_ends *quoted_ends,
                       const struct nat_ends *outer_ends);

#endif
