/*
 * The gateway's own words to a qube: ICMP errors about packets it refuses, RST
 * for connections it knows nothing of, and answers to ping. Each is made from
 * the packet at hand into a packet of its own, parsed.
 */
#ifndef PACKET_REFUSAL_H
#define PACKET_REFUSAL_H

#include "gateway/packet/icmp.h"

enum {
    /* Largest errors: RFC 1812 4.3.2.3, RFC 4443 3.1. */
    REFUSAL_IPV4_SIZE_MAX = 576,
    REFUSAL_IPV6_SIZE_MAX = 1280,
    REFUSAL_TTL = 64,
};

/* Must the packet be refused in silence? ICMP errors, fragments behind the
 * first, groups, whoever is not one sender (RFC 1122 3.2.2, RFC 4443 2.4). */
bool refusal_must_not_answer(const struct ip_packet *ip);

/* An ICMP error about the packet, to its sender, from `from`. `rest` is the
 * second word: the MTU in "fragmentation needed" and "packet too big". False
 * where `out` has no room. */
MUST_USE bool refusal_write_error(const struct packet *packet,
                                  const struct address *from, uint8_t type,
                                  uint8_t code, uint32_t rest,
                                  struct packet *out, size_t capacity);

/* A RST in answer to a TCP packet that belongs to no connection (RFC 9293
 * 3.10.7.1), as from its destination. */
MUST_USE bool refusal_write_reset(const struct packet *packet,
                                  struct packet *out, size_t capacity);

/* A RST by its parts: for a connection that ends without a packet. */
struct refusal_ending {
    uint8_t family;
    uint8_t flags;
    const uint8_t *source, *destination;
    uint16_t source_port, destination_port;
    uint32_t sequence, acknowledgement;
};
MUST_USE bool refusal_write_ending(const struct refusal_ending *ending,
                                   struct packet *out, size_t capacity);

/* The reply to an echo request, as long as that one is there: it shares its
 * pieces. Its checksum is patched, not judged. */
MUST_USE bool refusal_write_echo_reply(const struct packet *packet,
                                       struct packet *out, size_t capacity);

#endif
