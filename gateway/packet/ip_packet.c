#include "gateway/packet/ip_packet.h"

#include "gateway/packet/checksum.h"

enum {
    EXTENSIONS_MAX = 8, /* a longer chain is nobody's honest packet */
    IPV6_FRAGMENT_MORE = 0x0001,
    IPV6_FRAGMENT_OFFSET = 0xfff8,
};

/* Cuts off what the link added behind the packet, Ethernet's padding. */
static bool trim(struct packet *p, uint32_t total)
{
    if (total == packet_total(p))
        return true;
    if (total > packet_total(p) || p->piece_count > 0)
        return false;
    p->size = total;
    return true;
}

static enum drop parse_ipv4(struct packet *p, struct ip_packet *ip)
{
    const uint8_t *h = p->data;
    if (p->size < IPV4_HEADER_SIZE)
        return DROP_IP_MALFORMED;
    uint16_t header_size = (uint16_t)((h[0] & 0x0f) * 4);
    uint16_t total = load_u16(h + IPV4_TOTAL_LENGTH);
    if (header_size < IPV4_HEADER_SIZE || header_size > p->size ||
        total < header_size || !trim(p, total))
        return DROP_IP_MALFORMED;
    if (checksum_sum(h, header_size) != 0xffff)
        return DROP_IP_CHECKSUM;

    uint16_t fragment = load_u16(h + IPV4_FRAGMENT);
    ip->family = ADDRESS_IPV4;
    ip->total = total;
    ip->transport = header_size;
    ip->protocol = h[IPV4_PROTOCOL];
    ip->ttl = h[IPV4_TTL];
    ip->options = header_size > IPV4_HEADER_SIZE;
    ip->dont_fragment = fragment & IPV4_DONT_FRAGMENT;
    ip->more_fragments = fragment & IPV4_MORE_FRAGMENTS;
    ip->fragment_offset = (uint16_t)((fragment & IPV4_FRAGMENT_OFFSET) * 8);
    ip->fragment_id = load_u16(h + IPV4_ID);
    return DROP_NONE;
}

/* From the fixed header on to the transport (RFC 8200 4.1). False when the
 * chain leaves the `size` bytes, or says twice how it is fragmented. */
static bool walk_extensions(const uint8_t *h, size_t size, struct ip_packet *ip)
{
    size_t at = IPV6_HEADER_SIZE;
    uint8_t next = h[IPV6_NEXT_HEADER];
    bool has_fragment = false;
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        size_t length;
        if (next == IP_FRAGMENT)
            length = IPV6_FRAGMENT_SIZE;
        else if (next == IP_HOP_BY_HOP || next == IP_ROUTING ||
                 next == IP_DESTINATION_OPTIONS)
            length = size - at >= 2 ? (size_t)(h[at + 1] + 1) * 8 : SIZE_MAX;
        else
            break;
        if (length > size - at || (next == IP_FRAGMENT && has_fragment))
            return false;
        if (next == IP_FRAGMENT) {
            has_fragment = true;
            uint16_t fragment = load_u16(h + at + 2);
            ip->more_fragments = fragment & IPV6_FRAGMENT_MORE;
            ip->fragment_offset = fragment & IPV6_FRAGMENT_OFFSET;
            ip->fragment_id = load_u32(h + at + 4);
        } else {
            ip->options = true;
        }
        next = h[at];
        at += length;
        if (ip->fragment_offset > 0)
            break;
    }
    ip->protocol = next;
    ip->transport = (uint16_t)at;
    return true;
}

static enum drop parse_ipv6(struct packet *p, struct ip_packet *ip)
{
    const uint8_t *h = p->data;
    if (p->size < IPV6_HEADER_SIZE)
        return DROP_IP_MALFORMED;
    uint32_t total =
        (uint32_t)IPV6_HEADER_SIZE + load_u16(h + IPV6_PAYLOAD_LENGTH);
    if (!trim(p, total))
        return DROP_IP_MALFORMED;
    ip->family = ADDRESS_IPV6;
    ip->total = total;
    ip->ttl = h[IPV6_HOP_LIMIT];
    ip->dont_fragment = true;
    if (!walk_extensions(h, p->size, ip))
        return DROP_IP_OPTIONS;
    return DROP_NONE;
}

static bool parse_tcp(struct ip_packet *ip, const uint8_t *t, size_t size)
{
    if (size < TCP_HEADER_SIZE)
        return false;
    size_t header_size = (size_t)(t[TCP_DATA_OFFSET] >> 4) * 4;
    if (header_size < TCP_HEADER_SIZE || header_size > size)
        return false;
    ip->source_port = load_u16(t);
    ip->destination_port = load_u16(t + 2);
    ip->tcp_flags = t[TCP_FLAGS];
    ip->payload = (uint16_t)(ip->transport + header_size);
    return true;
}

static bool parse_udp(struct ip_packet *ip, const uint8_t *t, size_t size,
                      const struct packet *p)
{
    if (size < UDP_HEADER_SIZE)
        return false;
    uint32_t length = load_u16(t + UDP_LENGTH);
    uint32_t present = ip->total - ip->transport;
    if (length < UDP_HEADER_SIZE)
        return false;
    /* A first fragment holds less than its datagram. A checksum that is to be
     * filled in is summed up to the end, so that must be the datagram's. */
    if (!ip->more_fragments && length > present)
        return false;
    if (p->checksum == PACKET_CHECKSUM_PARTIAL && length != present)
        return false;
    ip->source_port = load_u16(t);
    ip->destination_port = load_u16(t + 2);
    ip->payload = (uint16_t)(ip->transport + UDP_HEADER_SIZE);
    return true;
}

static bool parse_icmp(struct ip_packet *ip, const uint8_t *t, size_t size)
{
    if (size < ICMP_HEADER_SIZE)
        return false;
    ip->icmp_type = t[0];
    ip->icmp_code = t[1];
    ip->source_port = ip->destination_port = load_u16(t + ICMP_ID);
    ip->payload = (uint16_t)(ip->transport + ICMP_HEADER_SIZE);
    return true;
}

static bool parse_transport(const struct packet *p, struct ip_packet *ip)
{
    const uint8_t *t = ip->data + ip->transport;
    size_t size = p->size - ip->transport;
    ip->payload = ip->transport;
    if (ip->fragment_offset > 0)
        return true;
    if (ip->protocol == IP_TCP)
        return parse_tcp(ip, t, size);
    if (ip->protocol == IP_UDP)
        return parse_udp(ip, t, size, p);
    if (ip_is_icmp(ip->family, ip->protocol))
        return parse_icmp(ip, t, size);
    return true;
}

/* A link's word on a packet is as much a stranger's word as the rest. */
static bool offload_makes_sense(const struct packet *p,
                                const struct ip_packet *ip)
{
    if (p->gso == PACKET_GSO_NONE && p->checksum != PACKET_CHECKSUM_PARTIAL)
        return true;
    if (p->checksum != PACKET_CHECKSUM_PARTIAL || ip_is_fragment(ip))
        return false;
    switch ((enum packet_gso)p->gso) {
    case PACKET_GSO_NONE:
        return ip->protocol == IP_TCP || ip->protocol == IP_UDP;
    case PACKET_GSO_TCP:
        return ip->protocol == IP_TCP && p->gso_size >= IP_GSO_SIZE_MIN &&
               !(ip->tcp_flags & (TCP_SYN | TCP_RST));
    case PACKET_GSO_UDP:
        return ip->protocol == IP_UDP && p->gso_size >= IP_GSO_SIZE_MIN;
    }
    return false;
}

enum drop ip_packet_parse(struct packet *packet)
{
    struct ip_packet ip = {.data = packet->data};
    packet->ip = (struct ip_packet){0};
    if (packet->size == 0)
        return DROP_IP_MALFORMED;
    enum drop drop = DROP_IP_MALFORMED;
    if (packet->data[0] >> 4 == 4)
        drop = parse_ipv4(packet, &ip);
    else if (packet->data[0] >> 4 == 6)
        drop = parse_ipv6(packet, &ip);
    if (drop != DROP_NONE)
        return drop;
    if (!parse_transport(packet, &ip) || !offload_makes_sense(packet, &ip))
        return DROP_TRANSPORT_MALFORMED;
    packet->ip = ip;
    return DROP_NONE;
}

static bool parse_quoted_ipv4(const uint8_t *h, size_t size,
                              struct ip_packet *ip)
{
    if (size < IPV4_HEADER_SIZE)
        return false;
    uint16_t fragment = load_u16(h + IPV4_FRAGMENT);
    ip->family = ADDRESS_IPV4;
    ip->transport = (uint16_t)((h[0] & 0x0f) * 4);
    ip->protocol = h[IPV4_PROTOCOL];
    ip->more_fragments = fragment & IPV4_MORE_FRAGMENTS;
    ip->fragment_offset = (uint16_t)((fragment & IPV4_FRAGMENT_OFFSET) * 8);
    return ip->transport >= IPV4_HEADER_SIZE;
}

static bool parse_quoted_ipv6(const uint8_t *h, size_t size,
                              struct ip_packet *ip)
{
    if (size < IPV6_HEADER_SIZE)
        return false;
    ip->family = ADDRESS_IPV6;
    return walk_extensions(h, size, ip);
}

bool ip_packet_parse_quoted(uint8_t *data, size_t size, struct ip_packet *out)
{
    struct ip_packet ip = {.data = data, .total = (uint32_t)size};
    if (size == 0)
        return false;
    bool parsed = false;
    if (data[0] >> 4 == 4)
        parsed = parse_quoted_ipv4(data, size, &ip);
    else if (data[0] >> 4 == 6)
        parsed = parse_quoted_ipv6(data, size, &ip);
    /* Eight bytes hold the ports, or type and identifier. */
    if (!parsed || ip.fragment_offset > 0 || size < ip.transport ||
        size - ip.transport < 8)
        return false;
    const uint8_t *t = data + ip.transport;
    if (ip_is_icmp(ip.family, ip.protocol)) {
        ip.icmp_type = t[0];
        ip.icmp_code = t[1];
        ip.source_port = ip.destination_port = load_u16(t + ICMP_ID);
    } else if (ip.protocol == IP_TCP || ip.protocol == IP_UDP) {
        ip.source_port = load_u16(t);
        ip.destination_port = load_u16(t + 2);
    }
    *out = ip;
    return true;
}

void ip_write_checksum(const struct ip_packet *ip)
{
    if (ip->family != ADDRESS_IPV4)
        return;
    store_u16(ip->data + IPV4_CHECKSUM, 0);
    store_u16(ip->data + IPV4_CHECKSUM,
              checksum_finish(checksum_sum(ip->data, ip->transport)));
}

uint32_t ip_pseudo_sum(const struct ip_packet *ip, uint32_t transport_size)
{
    return checksum_pseudo(ip_source(ip), ip_destination(ip),
                           ip_address_size(ip), ip->protocol, transport_size);
}
