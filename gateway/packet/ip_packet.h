/* The one reader of IP packets: nothing after ip_packet_parse() asks about
 * bounds again. */
#ifndef PACKET_IP_PACKET_H
#define PACKET_IP_PACKET_H

#include "gateway/packet/packet.h"

/* Fills packet->ip. Checks the packet as a whole (lengths, IPv4 header
 * checksum, the sense of its offload data) and trims what follows the IP total
 * length. Transport checksums are not looked at. Says why where the answer is
 * no; packet->ip is empty then. */
MUST_USE enum drop ip_packet_parse(struct packet *packet);

/* The start of a packet that an ICMP error quotes: it may be cut off behind
 * eight bytes of transport, and its checksums are nobody's business. False
 * where it cannot be matched to a flow. `payload` is not set. */
MUST_USE bool ip_packet_parse_quoted(uint8_t *data, size_t size,
                                     struct ip_packet *out);

/* IPv4: computes the header checksum anew. IPv6 has none. */
void ip_write_checksum(const struct ip_packet *ip);

/* The sum of the pseudo-header, for `transport_size` bytes of transport. */
uint32_t ip_pseudo_sum(const struct ip_packet *ip, uint32_t transport_size);

#endif
