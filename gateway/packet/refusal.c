#include "gateway/packet/refusal.h"

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

static bool is_zero(const uint8_t *p, size_t size)
{
    uint8_t all = 0;
    for (size_t i = 0; i < size; i++)
        all |= p[i];
    return all == 0;
}

static bool is_group(const struct ip_packet *ip, const uint8_t *address)
{
    if (ip->family == ADDRESS_IPV6)
        return address[0] == 0xff;
    return address[0] >> 4 == 14 || load_u32(address) == UINT32_MAX;
}

/* Its sender asks for something, so that an error tells it that it waits in
 * vain. Neighbour discovery and the like, below and above, are of the link. */
static bool is_query(const struct ip_packet *ip)
{
    if (ip->family == ADDRESS_IPV6)
        return ip->icmp_type & ICMPV6_INFORMATIONAL;
    return ip->icmp_type == ICMP_ECHO_REQUEST ||
           ip->icmp_type == ICMP_TIMESTAMP_REQUEST ||
           ip->icmp_type == ICMP_INFORMATION_REQUEST ||
           ip->icmp_type == ICMP_MASK_REQUEST;
}

bool refusal_must_not_answer(const struct ip_packet *ip)
{
    if (icmp_is(ip) && !is_query(ip))
        return true;
    return ip->fragment_offset > 0 ||
           is_zero(ip_source(ip), ip_address_size(ip)) ||
           is_group(ip, ip_source(ip)) || is_group(ip, ip_destination(ip));
}

/* The IP header of an answer; `size` bytes of transport follow. */
static struct ip_packet write_header(struct packet *out, uint8_t family,
                                     uint8_t protocol, const uint8_t *source,
                                     const uint8_t *destination, size_t size)
{
    bool v4 = family == ADDRESS_IPV4;
    struct ip_packet ip = {
        .data = out->data,
        .family = family,
        .protocol = protocol,
        .transport = v4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE,
    };
    uint8_t *h = out->data;
    ip.total = (uint32_t)(ip.transport + size);
    out->size = ip.total;
    out->checksum = PACKET_CHECKSUM_VALID;
    memset(h, 0, ip.transport);
    memcpy(ip_source(&ip), source, ip_address_size(&ip));
    memcpy(ip_destination(&ip), destination, ip_address_size(&ip));
    if (v4) {
        h[0] = 0x45;
        store_u16(h + IPV4_TOTAL_LENGTH, (uint16_t)ip.total);
        store_u16(h + IPV4_FRAGMENT, IPV4_DONT_FRAGMENT);
        h[IPV4_TTL] = REFUSAL_TTL;
        h[IPV4_PROTOCOL] = protocol;
        ip_write_checksum(&ip);
    } else {
        h[0] = 0x60;
        store_u16(h + IPV6_PAYLOAD_LENGTH, (uint16_t)size);
        h[IPV6_NEXT_HEADER] = protocol;
        h[IPV6_HOP_LIMIT] = REFUSAL_TTL;
    }
    return ip;
}

/* It travels on as every packet does: taken apart. */
static bool finish(struct packet *out)
{
    return ip_packet_parse(out) == DROP_NONE;
}

bool refusal_write_error(const struct packet *packet,
                         const struct address *from, uint8_t type, uint8_t code,
                         uint32_t rest, struct packet *out, size_t capacity)
{
    const struct ip_packet *about = &packet->ip;
    bool v4 = about->family == ADDRESS_IPV4;
    size_t headers =
        (v4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE) + ICMP_HEADER_SIZE;
    size_t most =
        (v4 ? REFUSAL_IPV4_SIZE_MAX : REFUSAL_IPV6_SIZE_MAX) - headers;
    size_t quoted = packet->size < most ? packet->size : most;
    if (headers + quoted > capacity || from->family != about->family)
        return false;
    struct ip_packet ip =
        write_header(out, about->family, v4 ? IP_ICMP : IP_ICMPV6, from->bytes,
                     ip_source(about), ICMP_HEADER_SIZE + quoted);
    uint8_t *t = ip_transport(&ip);
    t[0] = type;
    t[1] = code;
    store_u32(t + 4, rest);
    memcpy(t + ICMP_HEADER_SIZE, about->data, quoted);
    icmp_write_checksum(&ip);
    return finish(out);
}

bool refusal_write_ending(const struct refusal_ending *e, struct packet *out,
                          size_t capacity)
{
    size_t headers =
        e->family == ADDRESS_IPV4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE;
    if (headers + TCP_HEADER_SIZE > capacity)
        return false;
    struct ip_packet ip = write_header(out, e->family, IP_TCP, e->source,
                                       e->destination, TCP_HEADER_SIZE);
    uint8_t *t = ip_transport(&ip);
    memset(t, 0, TCP_HEADER_SIZE);
    store_u16(t, e->source_port);
    store_u16(t + 2, e->destination_port);
    store_u32(t + TCP_SEQUENCE, e->sequence);
    store_u32(t + TCP_ACKNOWLEDGEMENT, e->acknowledgement);
    t[TCP_DATA_OFFSET] = TCP_HEADER_SIZE / 4 << 4;
    t[TCP_FLAGS] = e->flags;
    uint32_t sum =
        checksum_sum(t, TCP_HEADER_SIZE) + ip_pseudo_sum(&ip, TCP_HEADER_SIZE);
    store_u16(t + TCP_CHECKSUM, checksum_finish(sum));
    return finish(out);
}

bool refusal_write_reset(const struct packet *packet, struct packet *out,
                         size_t capacity)
{
    const struct ip_packet *about = &packet->ip;
    if (about->protocol != IP_TCP || (about->tcp_flags & TCP_RST))
        return false;
    const uint8_t *theirs = ip_transport(about);
    struct refusal_ending e = {
        .family = about->family,
        .source = ip_destination(about),
        .destination = ip_source(about),
        .source_port = about->destination_port,
        .destination_port = about->source_port,
        .flags = TCP_RST,
    };
    if (about->tcp_flags & TCP_ACK) {
        e.sequence = load_u32(theirs + TCP_ACKNOWLEDGEMENT);
    } else {
        e.acknowledgement =
            load_u32(theirs + TCP_SEQUENCE) + ip_payload_size(about);
        if (about->tcp_flags & TCP_SYN)
            e.acknowledgement++;
        if (about->tcp_flags & TCP_FIN)
            e.acknowledgement++;
        e.flags |= TCP_ACK;
    }
    return refusal_write_ending(&e, out, capacity);
}

/* The request turned round, with all its headers: so what came in fragments
 * leaves in fragments. */
bool refusal_write_echo_reply(const struct packet *packet, struct packet *out,
                              size_t capacity)
{
    const struct ip_packet *about = &packet->ip;
    if (packet->size > capacity)
        return false;
    bool v4 = about->family == ADDRESS_IPV4;
    struct ip_packet ip = *about;
    ip.data = out->data;
    out->size = packet->size;
    out->pieces = packet->pieces;
    out->piece_count = packet->piece_count;
    out->piece_bytes = packet->piece_bytes;
    out->fragment_size = packet->fragment_size;
    out->checksum = packet->checksum;
    memcpy(ip.data, about->data, packet->size);
    memcpy(ip_source(&ip), ip_destination(about), ip_address_size(about));
    memcpy(ip_destination(&ip), ip_source(about), ip_address_size(about));
    ip.data[v4 ? IPV4_TTL : IPV6_HOP_LIMIT] = REFUSAL_TTL;
    ip_write_checksum(&ip);
    uint8_t *t = ip_transport(&ip);
    t[0] = v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
    /* Only type 8 or 128 becomes 0 or 129: a wrong checksum stays wrong. */
    uint16_t request = (uint16_t)(about->icmp_type << 8 | about->icmp_code);
    uint32_t change = checksum_change(request, load_u16(t));
    store_u16(t + ICMP_CHECKSUM,
              checksum_patch(load_u16(t + ICMP_CHECKSUM), change));
    return finish(out);
}
