/*
 * The destinations that the tunnel carries: its own network, the routes that
 * the server pushed, and everything where it is the default route; the longest
 * prefix decides. Routes of one length are sorted and searched by halves.
 */
#ifndef ROUTER_ROUTE_TABLE_H
#define ROUTER_ROUTE_TABLE_H

#include "gateway/base/tunnel.h"

enum { ROUTE_TABLE_MAX = TUNNEL_ROUTES_MAX + 4 };

/* Routes [first, end), all of one family and length. */
struct route_group {
    enum address_family family;
    uint8_t bits;
    uint16_t first, end;
};

struct route_table {
    uint16_t count, group_count;
    struct tunnel_route routes[ROUTE_TABLE_MAX]; /* one for each prefix */
    struct route_group groups[33 + 129];         /* the longest first */
};

void route_table_build(struct route_table *t, const struct tunnel *tunnel);

/* False too where a longer route says that it must go elsewhere. */
bool route_table_carries(const struct route_table *t,
                         const struct address *destination);

#endif
