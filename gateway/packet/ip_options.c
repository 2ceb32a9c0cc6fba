#include "gateway/packet/ip_options.h"

#include "gateway/packet/ip_packet.h"

enum {
    IPV4_OPTION_END = 0,
    IPV4_OPTION_NOP = 1,
    IPV4_OPTION_RECORD_ROUTE = 7,
    IPV4_OPTION_TIMESTAMP = 68,
    IPV4_OPTION_SECURITY = 130,
    IPV4_OPTION_EXTENDED_SECURITY = 133,
    IPV4_OPTION_CIPSO = 134,
    IPV4_OPTION_STREAM = 136,
    IPV4_OPTION_ROUTER_ALERT = 148,

    IPV6_OPTION_PAD1 = 0,
    IPV6_OPTION_IF_UNKNOWN = 0xc0, /* bits of the type; zero: skip it */
    IPV6_EXTENSION_UNIT = 8,
};

static bool is_harmless_ipv4(uint8_t kind)
{
    static const uint8_t kinds[] = {
        IPV4_OPTION_RECORD_ROUTE, IPV4_OPTION_TIMESTAMP,
        IPV4_OPTION_SECURITY,     IPV4_OPTION_EXTENDED_SECURITY,
        IPV4_OPTION_CIPSO,        IPV4_OPTION_STREAM,
        IPV4_OPTION_ROUTER_ALERT,
    };
    return memchr(kinds, kind, sizeof kinds) != NULL;
}

static bool check_ipv4(struct reader r)
{
    while (r.left > 0) {
        uint8_t kind = read_u8(&r);
        if (kind == IPV4_OPTION_END)
            return true;
        if (kind == IPV4_OPTION_NOP)
            continue;
        uint8_t length = read_u8(&r);
        if (length < 2 || !is_harmless_ipv4(kind))
            return false;
        read_sub(&r, (size_t)length - 2);
        if (!reader_ok(&r))
            return false;
    }
    return true;
}

static bool check_ipv6_options(struct reader r)
{
    while (r.left > 0) {
        uint8_t type = read_u8(&r);
        if (type == IPV6_OPTION_PAD1)
            continue;
        read_sub(&r, read_u8(&r));
        if (!reader_ok(&r) || (type & IPV6_OPTION_IF_UNKNOWN))
            return false;
    }
    return true;
}

/* The chain ends at the transport, as ip_packet_parse() has found. */
static bool check_ipv6(uint8_t next, struct reader r)
{
    for (bool first = true; r.left > 0; first = false) {
        uint8_t type = next;
        next = read_u8(&r);
        size_t units = read_u8(&r);
        if (type == IP_FRAGMENT)
            units = 0;
        struct reader body =
            read_sub(&r, (units + 1) * IPV6_EXTENSION_UNIT - 2);
        if (!reader_ok(&r) || type == IP_ROUTING ||
            (type == IP_HOP_BY_HOP && !first) ||
            (type != IP_FRAGMENT && !check_ipv6_options(body)))
            return false;
    }
    return true;
}

bool ip_options_are_harmless(const struct ip_packet *ip)
{
    if (!ip->options)
        return true;
    size_t header =
        ip->family == ADDRESS_IPV4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE;
    struct reader r =
        reader_of(bytes_of(ip->data + header, ip->transport - header));
    return ip->family == ADDRESS_IPV4
               ? check_ipv4(r)
               : check_ipv6(ip->data[IPV6_NEXT_HEADER], r);
}
