/*
 * Which destinations the tunnel carries: its own network, the routes that the
 * server pushed, and everything where it is the default route; the longest
 * prefix decides.
 */
#ifndef ROUTER_ROUTE_TABLE_H
#define ROUTER_ROUTE_TABLE_H

#include "gateway/base/tunnel.h"

enum { ROUTE_TABLE_MAX = TUNNEL_ROUTES_MAX + 4 };

struct route_table {
    uint16_t count;
    struct tunnel_route routes[ROUTE_TABLE_MAX]; /* what decides, first */
};

void route_table_build(struct route_table *t, const struct tunnel *tunnel);

/* False too where a longer route says that it must go elsewhere. */
bool route_table_carries(const struct route_table *t,
                         const struct address *destination);

#endif
