#include "firewall/nat.h"

#include "gateway/packet/checksum.h"
#include "gateway/packet/icmp.h"

static uint32_t write_address(uint8_t *at, const uint8_t *to, size_t size)
{
    uint32_t change = checksum_change_bytes(at, to, size);
    memcpy(at, to, size);
    return change;
}

static uint32_t write_word(uint8_t *at, uint16_t to)
{
    uint32_t change = checksum_change(load_u16(at), to);
    store_u16(at, to);
    return change;
}

static uint32_t write_addresses(const struct ip_packet *ip,
                                const struct nat_ends *ends)
{
    size_t size = ip_address_size(ip);
    return write_address(ip_source(ip), ends->source, size) +
           write_address(ip_destination(ip), ends->destination, size);
}

static bool has_ports(const struct ip_packet *ip)
{
    return ip->protocol == IP_TCP || ip->protocol == IP_UDP;
}

static uint32_t write_ports(struct ip_packet *ip, const struct nat_ends *ends)
{
    uint8_t *t = ip_transport(ip);
    if (icmp_is(ip)) {
        ip->source_port = ip->destination_port = ends->source_port;
        return write_word(t + ICMP_ID, ends->source_port);
    }
    if (!has_ports(ip))
        return 0;
    ip->source_port = ends->source_port;
    ip->destination_port = ends->destination_port;
    return write_word(t, ends->source_port) +
           write_word(t + 2, ends->destination_port);
}

static void patch(uint8_t *field, uint32_t change)
{
    store_u16(field, checksum_patch(load_u16(field), change));
}

/* RFC 768: zero says that there is none, and is never the sum. */
static void patch_udp(uint8_t *field, uint32_t change)
{
    uint16_t old = load_u16(field);
    if (old == 0)
        return;
    uint16_t new = checksum_patch(old, change);
    store_u16(field, new ? new : 0xffff);
}

static void patch_transport(const struct ip_packet *ip, uint32_t addresses,
                            uint32_t ports)
{
    uint8_t *t = ip_transport(ip);
    switch (ip->protocol) {
    case IP_TCP:
        patch(t + TCP_CHECKSUM, addresses + ports);
        break;
    case IP_UDP:
        patch_udp(t + UDP_CHECKSUM, addresses + ports);
        break;
    default: /* ICMP for IPv4 has no pseudo-header */
        if (icmp_is(ip))
            patch(t + ICMP_CHECKSUM,
                  ip->family == ADDRESS_IPV4 ? ports : addresses + ports);
        break;
    }
}

/* The field is the sum itself, not its complement, and of the addresses only:
 * the ports are counted when it is completed. */
static void patch_partial(const struct ip_packet *ip, uint32_t addresses)
{
    uint8_t *field = ip_transport(ip) +
                     (ip->protocol == IP_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
    store_u16(field, checksum_fold((uint64_t)load_u16(field) + addresses));
}

void nat_rewrite(struct packet *packet, const struct nat_ends *ends)
{
    struct ip_packet *ip = &packet->ip;
    uint32_t addresses = write_addresses(ip, ends);
    uint32_t ports = write_ports(ip, ends);
    ip->ttl--;
    if (ip->family == ADDRESS_IPV4) {
        uint16_t word = (uint16_t)(ip->ttl << 8 | ip->data[IPV4_PROTOCOL]);
        uint32_t ttl = write_word(ip->data + IPV4_TTL, word);
        patch(ip->data + IPV4_CHECKSUM, addresses + ttl);
    } else {
        ip->data[IPV6_HOP_LIMIT] = ip->ttl;
    }
    if (packet->checksum == PACKET_CHECKSUM_PARTIAL)
        patch_partial(ip, addresses);
    else
        patch_transport(ip, addresses, ports);
}

void nat_set_id(struct ip_packet *ip, uint16_t id)
{
    ip->fragment_id = id;
    patch(ip->data + IPV4_CHECKSUM, write_word(ip->data + IPV4_ID, id));
}

/* The start of a packet that an ICMP error quotes, as far as it goes. Its time
 * to live stays. */
static void rewrite_quoted(struct ip_packet *quoted,
                           const struct nat_ends *ends)
{
    uint32_t addresses = write_addresses(quoted, ends);
    uint32_t ports = write_ports(quoted, ends);
    if (quoted->family == ADDRESS_IPV4)
        patch(quoted->data + IPV4_CHECKSUM, addresses);
    /* Eight bytes of transport are there, TCP's checksum lies behind them. */
    size_t present = quoted->total - quoted->transport;
    if (quoted->protocol != IP_TCP || present >= TCP_CHECKSUM + 2)
        patch_transport(quoted, addresses, ports);
}

void nat_rewrite_error(struct packet *packet, struct ip_packet *quoted,
                       const struct nat_ends *quoted_ends,
                       const struct nat_ends *outer_ends)
{
    struct nat_ends outer = *outer_ends;
    /* The word that echo has its identifier in stays. */
    outer.source_port = packet->ip.source_port;
    rewrite_quoted(quoted, quoted_ends);
    nat_rewrite(packet, &outer);
    icmp_write_checksum(&packet->ip);
}
