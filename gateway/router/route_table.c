#include "gateway/router/route_table.h"

#include <assert.h>
#include <stdlib.h>

static void add(struct route_table *t, const struct tunnel_route *route)
{
    assert(t->count < ROUTE_TABLE_MAX);
    if (route->prefix.address.family != ADDRESS_NONE)
        t->routes[t->count++] = *route;
}

static void add_prefix(struct route_table *t, struct prefix prefix)
{
    add(t, &(struct tunnel_route){.prefix = prefix});
}

/* Longest prefix, then least metric; of equals the one that keeps the packet
 * out of the tunnel, because it was named for that. */
static int by_precedence(const void *left, const void *right)
{
    const struct tunnel_route *a = left, *b = right;
    if (a->prefix.bits != b->prefix.bits)
        return a->prefix.bits > b->prefix.bits ? -1 : 1;
    if (a->metric != b->metric)
        return a->metric < b->metric ? -1 : 1;
    return (int)b->excluded - (int)a->excluded;
}

void route_table_build(struct route_table *t, const struct tunnel *tunnel)
{
    static const struct prefix everywhere4 = {{.family = ADDRESS_IPV4}, 0};
    static const struct prefix everywhere6 = {{.family = ADDRESS_IPV6}, 0};
    const struct prefix *own[] = {&tunnel->ipv4, &tunnel->ipv6};
    t->count = 0;
    for (size_t i = 0; i < 2; i++)
        if (own[i]->address.family != ADDRESS_NONE)
            add_prefix(t, prefix_of(&own[i]->address, own[i]->bits));
    if (tunnel->redirect_ipv4 && tunnel->ipv4.address.family != ADDRESS_NONE)
        add_prefix(t, everywhere4);
    if (tunnel->redirect_ipv6 && tunnel->ipv6.address.family != ADDRESS_NONE)
        add_prefix(t, everywhere6);
    for (size_t i = 0; i < tunnel->route_count && i < (size_t)TUNNEL_ROUTES_MAX;
         i++)
        add(t, &tunnel->routes[i]);
    qsort(t->routes, t->count, sizeof t->routes[0], by_precedence);
}

bool route_table_carries(const struct route_table *t,
                         const struct address *destination)
{
    for (size_t i = 0; i < t->count; i++)
        if (prefix_contains(&t->routes[i].prefix, destination))
            return !t->routes[i].excluded;
    return false;
}
