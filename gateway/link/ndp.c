#include "gateway/link/ndp.h"

enum {
    IPV6_HEADER_SIZE = 40,
    ICMPV6 = 58,
    HOP_LIMIT = 255, /* whoever sends it is on the link (RFC 4861 3.1) */
    ADVERTISEMENT_SIZE = 24 + 8,
    OPTION_TARGET_MAC = 2,
};

/* Router, solicited, override: whoever stands behind the target address, the
 * way there is this MAC, and what the qube remembered before is wrong. */
static const uint32_t advertisement_flags = UINT32_C(7) << 29;

bool ndp_is(struct bytes packet)
{
    const uint8_t *p = packet.data;
    return packet.size > IPV6_HEADER_SIZE && p[0] >> 4 == 6 && p[6] == ICMPV6 &&
           p[IPV6_HEADER_SIZE] >= NDP_ROUTER_SOLICITATION &&
           p[IPV6_HEADER_SIZE] <= NDP_REDIRECT;
}

/* The checksum of the pseudo-header and the message; 0xffff when the one in it
 * is right. */
static uint16_t icmp_sum(const uint8_t addresses[32], struct bytes message)
{
    uint64_t sum = ICMPV6 + message.size;
    for (size_t i = 0; i < 32; i += 2)
        sum += load_u16(addresses + i);
    for (size_t i = 0; i + 1 < message.size; i += 2)
        sum += load_u16(message.data + i);
    if (message.size % 2)
        sum += (uint64_t)message.data[message.size - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static bool options_valid(struct reader r)
{
    while (r.left) {
        read_u8(&r); /* type */
        uint8_t units = read_u8(&r);
        if (units == 0)
            return false;
        read_bytes(&r, units * 8U - 2);
        if (!reader_ok(&r))
            return false;
    }
    return reader_ok(&r);
}

static bool is_multicast(const struct address *a)
{
    return a->bytes[0] == 0xff;
}

bool ndp_parse(struct bytes packet, struct ndp_solicitation *out)
{
    struct reader r = reader_of(packet);
    uint32_t version = read_u32(&r);
    uint16_t payload_size = read_u16(&r);
    uint8_t next_header = read_u8(&r);
    uint8_t hop_limit = read_u8(&r);
    struct bytes addresses = read_bytes(&r, 32);
    struct reader message = read_sub(&r, payload_size); /* padding may follow */
    struct bytes whole = bytes_of(message.next, message.left);
    uint8_t type = read_u8(&message);
    uint8_t code = read_u8(&message);
    read_u16(&message); /* checksum */
    read_u32(&message); /* reserved */
    struct bytes target = read_bytes(&message, 16);
    if (!reader_ok(&r) || !reader_ok(&message) || version >> 28 != 6 ||
        next_header != ICMPV6 || hop_limit != HOP_LIMIT ||
        type != NDP_NEIGHBOUR_SOLICITATION || code != 0 ||
        icmp_sum(addresses.data, whole) != 0xffff || !options_valid(message))
        return false;

    struct ndp_solicitation solicitation = {
        .source = address_from_bytes(ADDRESS_IPV6, addresses.data),
        .target = address_from_bytes(ADDRESS_IPV6, target.data),
    };
    if (is_multicast(&solicitation.source) ||
        is_multicast(&solicitation.target))
        return false;
    *out = solicitation;
    return true;
}

bool ndp_answer(const struct ndp_solicitation *solicitation,
                const uint8_t mac[6], const struct address *own,
                uint8_t frame[NDP_FRAME_SIZE])
{
    static const struct address unspecified = {.family = ADDRESS_IPV6};
    if (address_equal(&solicitation->source, &unspecified) ||
        address_equal(&solicitation->target, &unspecified) ||
        address_equal(&solicitation->target, &solicitation->source) ||
        address_equal(&solicitation->target, own) || mac[0] & 1)
        return false;

    struct ethernet_header header = {.type = ETHERTYPE_IPV6};
    memcpy(header.destination, mac, 6);
    memcpy(header.source, ethernet_gateway_mac, 6);
    ethernet_write(frame, &header);

    uint8_t *packet = frame + ETHERNET_HEADER_SIZE;
    struct writer w = writer_of(packet, IPV6_HEADER_SIZE + ADVERTISEMENT_SIZE);
    write_u32(&w, UINT32_C(6) << 28);
    write_u16(&w, ADVERTISEMENT_SIZE);
    write_u8(&w, ICMPV6);
    write_u8(&w, HOP_LIMIT);
    write_bytes(&w, bytes_of(solicitation->target.bytes, 16));
    write_bytes(&w, bytes_of(solicitation->source.bytes, 16));
    write_u8(&w, NDP_NEIGHBOUR_ADVERTISEMENT);
    write_u8(&w, 0);  /* code */
    write_u16(&w, 0); /* checksum */
    write_u32(&w, advertisement_flags);
    write_bytes(&w, bytes_of(solicitation->target.bytes, 16));
    write_u8(&w, OPTION_TARGET_MAC);
    write_u8(&w, 1); /* times eight bytes */
    write_bytes(&w, bytes_of(ethernet_gateway_mac, 6));

    struct bytes message = {packet + IPV6_HEADER_SIZE, ADVERTISEMENT_SIZE};
    store_u16(packet + IPV6_HEADER_SIZE + 2,
              (uint16_t)~icmp_sum(packet + 8, message));
    return writer_ok(&w);
}
