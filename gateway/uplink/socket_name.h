/* Endpoints as the system's calls want them. */
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

#endif
