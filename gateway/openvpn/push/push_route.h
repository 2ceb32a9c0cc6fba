/*
 * The tunnel's own addresses and what is routed through it: ifconfig,
 * topology, route, redirect-gateway and their IPv6 forms. Kept as said until
 * all is known: a route may name a gateway that comes later.
 */
#ifndef OPENVPN_PUSH_PUSH_ROUTE_H
#define OPENVPN_PUSH_PUSH_ROUTE_H

#include "gateway/base/tunnel.h"
#include "gateway/openvpn/config/config_parser.h"

enum push_topology { PUSH_NET30, PUSH_P2P, PUSH_SUBNET };

struct push_route_entry {
    struct prefix prefix;
    uint32_t metric;
    bool has_metric;
    bool to_gateway; /* `prefix` is not set: the route is to vpn_gateway */
    bool excluded;   /* through net_gateway, so not through the tunnel */
};

struct push_route {
    enum push_topology topology;
    struct address local, remote_or_mask; /* of ifconfig */
    struct prefix local6;                 /* keeps its host bits */
    struct address gateway;               /* route-gateway */
    uint32_t metric;                      /* route-metric */
    bool redirect_ipv4, redirect_ipv6, block_ipv6;
    uint16_t count;
    uint32_t left; /* routes that found no place */
    struct push_route_entry entries[TUNNEL_ROUTES_MAX];
};

/* Each takes one option: false if malformed; *note may say what is understood
 * but ignored. */
MUST_USE bool push_route_ifconfig(struct push_route *r,
                                  const struct config_tokens *t,
                                  const char **note);
MUST_USE bool push_route_ifconfig_ipv6(struct push_route *r,
                                       const struct config_tokens *t,
                                       const char **note);
MUST_USE bool push_route_topology(struct push_route *r,
                                  const struct config_tokens *t,
                                  const char **note);
MUST_USE bool push_route_add(struct push_route *r,
                             const struct config_tokens *t, const char **note);
MUST_USE bool push_route_add_ipv6(struct push_route *r,
                                  const struct config_tokens *t,
                                  const char **note);
MUST_USE bool push_route_gateway(struct push_route *r,
                                 const struct config_tokens *t,
                                 const char **note);
MUST_USE bool push_route_metric(struct push_route *r,
                                const struct config_tokens *t,
                                const char **note);
MUST_USE bool push_route_redirect(struct push_route *r,
                                  const struct config_tokens *t,
                                  const char **note);
/* Forgets the routes of one family. */
void push_route_clear(struct push_route *r, enum address_family family);

/* Fills in addresses, gateways and routes. False if there is no address at
 * all; *why says so. */
MUST_USE bool push_route_finish(const struct push_route *r,
                                struct tunnel *tunnel, const char **why);

#endif
