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
