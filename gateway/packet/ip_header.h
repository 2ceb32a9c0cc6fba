/*
 * An IP packet taken apart: where its headers are and what in them decides, as
 * ip_packet_parse() has found it. It travels with the packet; who rewrites a
 * header keeps it true.
 *
 *   data            transport        payload              total
 *   | IPv4 or IPv6, extensions | TCP, UDP, ICMP | ...          |
 *
 * All headers lie in the packet's first part; pieces hold payload only.
 */
#ifndef PACKET_IP_HEADER_H
#define PACKET_IP_HEADER_H

#include "gateway/base/address.h"
#include "gateway/base/bytes.h"
#include "gateway/base/drop.h"

enum ip_protocol {
    IP_HOP_BY_HOP = 0,
    IP_ICMP = 1,
    IP_TCP = 6,
    IP_UDP = 17,
    IP_ROUTING = 43,
    IP_FRAGMENT = 44,
    IP_GRE = 47,
    IP_ESP = 50,
    IP_ICMPV6 = 58,
    IP_DESTINATION_OPTIONS = 60,
    IP_SCTP = 132,
};

enum ip_layout {
    IPV4_HEADER_SIZE = 20,
    IPV4_TOS = 1,
    IPV4_TOTAL_LENGTH = 2,
    IPV4_ID = 4,
    IPV4_FRAGMENT = 6, /* flags and offset */
    IPV4_TTL = 8,
    IPV4_PROTOCOL = 9,
    IPV4_CHECKSUM = 10,
    IPV4_SOURCE = 12,
    IPV4_DESTINATION = 16,
    IPV4_DONT_FRAGMENT = 0x4000,
    IPV4_MORE_FRAGMENTS = 0x2000,
    IPV4_FRAGMENT_OFFSET = 0x1fff, /* in units of 8 bytes */

    IPV6_HEADER_SIZE = 40,
    IPV6_PAYLOAD_LENGTH = 4,
    IPV6_NEXT_HEADER = 6,
    IPV6_HOP_LIMIT = 7,
    IPV6_SOURCE = 8,
    IPV6_DESTINATION = 24,
    IPV6_FRAGMENT_SIZE = 8,

    TCP_HEADER_SIZE = 20,
    TCP_SEQUENCE = 4,
    TCP_ACKNOWLEDGEMENT = 8,
    TCP_DATA_OFFSET = 12,
    TCP_FLAGS = 13,
    TCP_WINDOW = 14,
    TCP_CHECKSUM = 16,

    UDP_HEADER_SIZE = 8,
    UDP_LENGTH = 4,
    UDP_CHECKSUM = 6,

    ICMP_HEADER_SIZE = 8,
    ICMP_CHECKSUM = 2,
    ICMP_ID = 4,
};

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

/* A super-packet's segments are at least this long: one frame must not become
 * thousands. The least MSS that Linux itself sends with (TCP_MIN_SND_MSS). */
enum { IP_GSO_SIZE_MIN = 48 };

struct ip_packet {
    uint8_t *data;
    uint32_t total;
    uint16_t transport; /* offset of the transport header */
    uint16_t payload;   /* offset of what follows it */
    uint8_t family;     /* ADDRESS_IPV4 or ADDRESS_IPV6 */
    uint8_t protocol;   /* of the transport, behind the extensions */
    uint8_t ttl;
    bool options; /* IPv4 options, or IPv6 extensions but for Fragment */
    bool dont_fragment;
    bool more_fragments;
    uint16_t fragment_offset; /* bytes; not 0: there is no transport header */
    uint32_t fragment_id;
    uint8_t tcp_flags;
    uint8_t icmp_type, icmp_code;
    /* TCP and UDP; ICMP echo has its identifier in both, others zero */
    uint16_t source_port, destination_port;
};

/* ICMP has a number of its own in each family. */
static inline bool ip_is_icmp(uint8_t family, uint8_t protocol)
{
    return protocol == (family == ADDRESS_IPV4 ? IP_ICMP : IP_ICMPV6);
}

static inline bool ip_is_fragment(const struct ip_packet *ip)
{
    return ip->more_fragments || ip->fragment_offset > 0;
}

static inline uint8_t *ip_source(const struct ip_packet *ip)
{
    return ip->data + (ip->family == ADDRESS_IPV4 ? IPV4_SOURCE : IPV6_SOURCE);
}

static inline uint8_t *ip_destination(const struct ip_packet *ip)
{
    return ip->data +
           (ip->family == ADDRESS_IPV4 ? IPV4_DESTINATION : IPV6_DESTINATION);
}

static inline size_t ip_address_size(const struct ip_packet *ip)
{
    return ip->family == ADDRESS_IPV4 ? 4 : 16;
}

static inline uint8_t *ip_transport(const struct ip_packet *ip)
{
    return ip->data + ip->transport;
}

static inline uint32_t ip_payload_size(const struct ip_packet *ip)
{
    return ip->total - ip->payload;
}

#endif
