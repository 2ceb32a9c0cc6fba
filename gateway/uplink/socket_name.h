/* Endpoints as the system's calls want them, and its word about the way to
 * one. */
#ifndef UPLINK_SOCKET_NAME_H
#define UPLINK_SOCKET_NAME_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/base/address.h"

union socket_name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* The size of what was written. */
socklen_t socket_name_of(const struct endpoint *endpoint,
                         union socket_name *out);
/* The same for a socket of both families: IPv4 as ::ffff:a.b.c.d. */
socklen_t socket_name_mapped_of(const struct endpoint *endpoint,
                                union socket_name *out);
/* The other way round; a mapped address becomes IPv4 again. */
struct endpoint socket_name_endpoint(const union socket_name *name);

/* The MTU of the way to where a socket is connected; 0: the system does not
 * know. */
uint16_t socket_name_mtu(int fd, enum address_family family);

#endif
