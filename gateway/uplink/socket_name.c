#include "gateway/uplink/socket_name.h"

#include <arpa/inet.h>
#include <assert.h>

socklen_t socket_name_of(const struct endpoint *endpoint,
                         union socket_name *out)
{
    const struct address *a = &endpoint->address;
    assert(address_is_set(a));
    *out = (union socket_name){.any.sa_family = AF_UNSPEC};
    if (a->family == ADDRESS_IPV4) {
        out->ipv4.sin_family = AF_INET;
        out->ipv4.sin_port = htons(endpoint->port);
        memcpy(&out->ipv4.sin_addr, a->bytes, sizeof out->ipv4.sin_addr);
        return sizeof out->ipv4;
    }
    out->ipv6.sin6_family = AF_INET6;
    out->ipv6.sin6_port = htons(endpoint->port);
    memcpy(&out->ipv6.sin6_addr, a->bytes, sizeof out->ipv6.sin6_addr);
    return sizeof out->ipv6;
}

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

socklen_t socket_name_mapped_of(const struct endpoint *endpoint,
                                union socket_name *out)
{
    struct endpoint e = *endpoint;
    if (e.address.family == ADDRESS_IPV4) {
        uint8_t bytes[16];
        memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
        memcpy(bytes + sizeof mapped_prefix, e.address.bytes, 4);
        e.address = address_from_bytes(ADDRESS_IPV6, bytes);
    }
    return socket_name_of(&e, out);
}

struct endpoint socket_name_endpoint(const union socket_name *name)
{
    const uint8_t *bytes = name->ipv6.sin6_addr.s6_addr;
    struct endpoint out = {0};
    if (name->any.sa_family == AF_INET) {
        out.address = address_from_bytes(ADDRESS_IPV4,
                                         (const uint8_t *)&name->ipv4.sin_addr);
        out.port = ntohs(name->ipv4.sin_port);
    } else if (name->any.sa_family == AF_INET6) {
        bool mapped = memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;
        out.address = mapped ? address_from_bytes(ADDRESS_IPV4, bytes + 12)
                             : address_from_bytes(ADDRESS_IPV6, bytes);
        out.port = ntohs(name->ipv6.sin6_port);
    }
    return out;
}

uint16_t socket_name_mtu(int fd, enum address_family family)
{
    bool ipv4 = family == ADDRESS_IPV4;
    int mtu;
    socklen_t size = sizeof mtu;
    if (getsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                   ipv4 ? IP_MTU : IPV6_MTU, &mtu, &size) != 0)
        return 0;
    return (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu);
}
