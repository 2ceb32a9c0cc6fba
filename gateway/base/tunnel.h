/*
 * The tunnel as the server granted it: all that router and firewall need to
 * know of it. Plain data, copied by value.
 */
#ifndef BASE_TUNNEL_H
#define BASE_TUNNEL_H

#include "gateway/base/address.h"

enum {
    TUNNEL_DNS_PORT = 53, /* of its resolvers */
    TUNNEL_ROUTES_MAX = 1024,
    TUNNEL_RESOLVERS_MAX = 8,
    TUNNEL_MTU_DEFAULT = 1500,
    TUNNEL_IPV6_LEAST = 1280, /* what each link carries, RFC 8200 5 */
};

struct tunnel_route {
    struct prefix prefix;
    uint32_t metric;
    bool excluded; /* net_gateway: must not go through the tunnel */
};

struct tunnel {
    struct prefix ipv4;          /* family NONE: the tunnel has no IPv4; the
                                    address keeps its host bits */
    struct address ipv4_gateway; /* or family NONE */
    struct prefix ipv6;
    uint16_t mtu;       /* largest inner packet, bytes */
    uint16_t mss_mtu;   /* mssfix: TCP segments in packets of at most this */
    uint16_t path_mtu;  /* larger ones need outer fragments; 0: none do */
    bool redirect_ipv4; /* the default route is ours */
    bool redirect_ipv6;
    bool block_ipv6;
    uint16_t route_count;
    uint16_t resolver_count;
    struct tunnel_route routes[TUNNEL_ROUTES_MAX];
    struct address resolvers[TUNNEL_RESOLVERS_MAX]; /* in order of use */
    char search_domain[256];                        /* "" if none */
};

/* False: connected, and yet the server wants none of the qubes' packets, but
 * for its own network at most. */
static inline bool tunnel_has_route(const struct tunnel *t)
{
    for (size_t i = 0; i < t->route_count; i++)
        if (!t->routes[i].excluded)
            return true;
    return t->redirect_ipv4 || t->redirect_ipv6;
}

enum { TUNNEL_TEXT_SIZE = 640 };

/* For the log: "10.8.0.2/24, DNS 10.8.0.1, all traffic". */
const char *tunnel_describe(const struct tunnel *t, char out[TUNNEL_TEXT_SIZE]);

/* The largest packet that qubes may send. Of IPv6 nobody may ask for less than
 * its least, so there outer fragments are the lesser evil. */
static inline uint16_t tunnel_mtu(const struct tunnel *t,
                                  enum address_family family)
{
    uint16_t path = t->path_mtu;
    if (family == ADDRESS_IPV6 && path < TUNNEL_IPV6_LEAST)
        path = path ? TUNNEL_IPV6_LEAST : 0;
    return path && path < t->mtu ? path : t->mtu;
}

#endif
