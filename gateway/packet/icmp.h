/*
 * ICMP and ICMPv6: which messages pass, and the packet that an error quotes
 * (RFC 5508 4.2).
 *
 *   IP | type code checksum rest | quoted IP | its transport, 8 bytes or more
 *   -- outer addresses --          -- the flow, seen from its other end --
 *
 * The rest behind the quoted headers (RFC 4884 extensions too) is carried,
 * never parsed.
 */
#ifndef PACKET_ICMP_H
#define PACKET_ICMP_H

#include "gateway/packet/packet.h"

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_ECHO_REQUEST = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
    ICMP_TIMESTAMP_REQUEST = 13,
    ICMP_TIMESTAMP_REPLY = 14,
    ICMP_INFORMATION_REQUEST = 15,
    ICMP_MASK_REQUEST = 17,

    ICMPV6_UNREACHABLE = 1,
    ICMPV6_PACKET_TOO_BIG = 2,
    ICMPV6_TIME_EXCEEDED = 3,
    ICMPV6_PARAMETER_PROBLEM = 4,
    ICMPV6_ECHO_REQUEST = 128,
    ICMPV6_ECHO_REPLY = 129,
    ICMPV6_INFORMATIONAL = 0x80, /* the bit of all that are no errors */
};

/* Codes of UNREACHABLE. */
enum icmp_code {
    ICMP_CODE_NETWORK = 0,
    ICMP_CODE_PROTOCOL = 2,
    ICMP_CODE_PORT = 3,
    ICMP_CODE_FRAGMENTATION_NEEDED = 4,
    ICMP_CODE_PROHIBITED = 13,

    ICMPV6_CODE_NO_ROUTE = 0,
    ICMPV6_CODE_PROHIBITED = 1,
    ICMPV6_CODE_PORT = 4,
};

enum {
    ICMP_IPV4_MTU_MIN = 68,   /* RFC 791 */
    ICMP_IPV6_MTU_MIN = 1280, /* RFC 8200 5 */
};

bool icmp_is(const struct ip_packet *ip);
bool icmp_is_echo_request(const struct ip_packet *ip);
/* The queries that pass, and what answers them: echo, and timestamp. */
bool icmp_is_request(const struct ip_packet *ip);
bool icmp_is_reply(const struct ip_packet *ip);
/* The type of the request in a flow, of either. */
uint8_t icmp_request_type(const struct ip_packet *ip);
/* One of the errors that pass: unreachable, too big, time exceeded,
 * parameter problem. */
bool icmp_is_error(const struct ip_packet *ip);

/* Checks an error's checksum and finds the packet that it quotes. Its data is
 * the error's own memory. */
MUST_USE enum drop icmp_find_quoted(const struct packet *packet,
                                    struct ip_packet *quoted);

/* Computes the checksum of a whole ICMP message anew. */
void icmp_write_checksum(const struct ip_packet *ip);

#endif
