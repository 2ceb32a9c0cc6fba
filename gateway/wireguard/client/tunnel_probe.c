#include "gateway/wireguard/client/tunnel_probe.h"

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

enum {
    DNS_PORT = 53,
    PORT_FIRST = 49152, /* the dynamic ones, RFC 6335 6 */
    PORT_COUNT = 16384,
    TTL = 64,
    DNS_SIZE = 17,
    DNS_FLAGS_QUERY = 0x0100, /* recursion desired */
    DNS_TYPE_NS = 2,
    DNS_CLASS_IN = 1,
    DNS_ANSWER = 0x80, /* in the third byte */
};

void tunnel_probe_init(struct tunnel_probe *p, const struct address *own,
                       const struct address *resolver, const uint8_t random[4])
{
    *p = (struct tunnel_probe){
        .own = *own,
        .resolver = *resolver,
        .port = (uint16_t)(PORT_FIRST + load_u16(random) % PORT_COUNT),
        .id = load_u16(random + 2),
    };
}

static void write_ipv4(const struct tunnel_probe *p, struct writer *w)
{
    uint8_t *start = w->start;
    write_u16(w, 0x4500);
    write_u16(w, IPV4_HEADER_SIZE + UDP_HEADER_SIZE + DNS_SIZE);
    write_u32(w, 0);
    write_u8(w, TTL);
    write_u8(w, IP_UDP);
    write_u16(w, 0);
    write_bytes(w, bytes_of(p->own.bytes, 4));
    write_bytes(w, bytes_of(p->resolver.bytes, 4));
    store_u16(start + IPV4_CHECKSUM,
              checksum_finish(checksum_sum(start, IPV4_HEADER_SIZE)));
}

static void write_ipv6(const struct tunnel_probe *p, struct writer *w)
{
    write_u32(w, 0x60000000);
    write_u16(w, UDP_HEADER_SIZE + DNS_SIZE);
    write_u8(w, IP_UDP);
    write_u8(w, TTL);
    write_bytes(w, bytes_of(p->own.bytes, 16));
    write_bytes(w, bytes_of(p->resolver.bytes, 16));
}

static void write_question(const struct tunnel_probe *p, struct writer *w)
{
    write_u16(w, p->id);
    write_u16(w, DNS_FLAGS_QUERY);
    write_u16(w, 1); /* questions */
    write_u16(w, 0);
    write_u32(w, 0);
    write_u8(w, 0); /* the root's name */
    write_u16(w, DNS_TYPE_NS);
    write_u16(w, DNS_CLASS_IN);
}

size_t tunnel_probe_write(const struct tunnel_probe *p,
                          uint8_t out[TUNNEL_PROBE_SIZE_MAX])
{
    struct writer w = writer_of(out, TUNNEL_PROBE_SIZE_MAX);
    size_t address = address_size(p->own.family);
    if (p->own.family == ADDRESS_IPV4)
        write_ipv4(p, &w);
    else
        write_ipv6(p, &w);
    uint8_t *udp = w.start + w.size;
    write_u16(&w, p->port);
    write_u16(&w, DNS_PORT);
    write_u16(&w, UDP_HEADER_SIZE + DNS_SIZE);
    write_u16(&w, 0);
    write_question(p, &w);
    uint32_t size = UDP_HEADER_SIZE + DNS_SIZE;
    uint32_t sum = checksum_pseudo(p->own.bytes, p->resolver.bytes, address,
                                   IP_UDP, size) +
                   checksum_sum(udp, size);
    uint16_t checksum = checksum_finish(sum);
    store_u16(udp + UDP_CHECKSUM, checksum ? checksum : 0xffff);
    return w.size;
}

bool tunnel_probe_answered(const struct tunnel_probe *p, struct bytes packet)
{
    size_t size = address_size(p->own.family);
    struct reader r = reader_of(packet);
    struct bytes from, to;
    uint8_t protocol;
    if (p->own.family == ADDRESS_IPV4) {
        uint8_t start = read_u8(&r);
        (void)read_bytes(&r, IPV4_PROTOCOL - 1);
        protocol = read_u8(&r);
        (void)read_u16(&r);
        if (start != 0x45)
            return false;
    } else {
        (void)read_bytes(&r, IPV6_NEXT_HEADER);
        protocol = read_u8(&r);
        (void)read_u8(&r);
        if (packet.size == 0 || packet.data[0] >> 4 != ADDRESS_IPV6)
            return false;
    }
    from = read_bytes(&r, size);
    to = read_bytes(&r, size);
    bool ports = read_u16(&r) == DNS_PORT && read_u16(&r) == p->port;
    (void)read_u32(&r);
    bool id = read_u16(&r) == p->id;
    bool answer = read_u8(&r) & DNS_ANSWER;
    return reader_ok(&r) && protocol == IP_UDP && ports && id && answer &&
           bytes_equal(from, bytes_of(p->resolver.bytes, size)) &&
           bytes_equal(to, bytes_of(p->own.bytes, size));
}
