#include "gateway/router/route_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    if (a->address.family != b->address.family)
        return a->address.family < b->address.family ? -1 : 1;
    return memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes);
}

/* For one prefix the least metric comes first; of equals the one that keeps the
 * packet out of the tunnel, because it was named for that. */
static int by_precedence(const void *left, const void *right)
{
    const struct tunnel_route *a = left, *b = right;
    int order = compare_prefixes(&a->prefix, &b->prefix);
    if (order != 0)
        return order;
    if (a->metric != b->metric)
        return a->metric < b->metric ? -1 : 1;
    return (int)b->excluded - (int)a->excluded;
}

/* Drops routes that decide nothing. */
static void drop_repeated(struct route_table *t)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < t->count; i++)
        if (kept == 0 || compare_prefixes(&t->routes[kept - 1].prefix,
                                          &t->routes[i].prefix) != 0)
            t->routes[kept++] = t->routes[i];
    t->count = kept;
}

static void make_groups(struct route_table *t)
{
    t->group_count = 0;
    for (uint16_t i = 0; i < t->count; i++) {
        const struct prefix *p = &t->routes[i].prefix;
        struct route_group *last =
            t->group_count ? &t->groups[t->group_count - 1] : NULL;
        if (!last || last->bits != p->bits || last->family != p->address.family)
            t->groups[t->group_count++] = (struct route_group){
                .family = p->address.family, .bits = p->bits, .first = i};
        t->groups[t->group_count - 1].end = (uint16_t)(i + 1);
    }
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
    drop_repeated(t);
    make_groups(t);
}

static int at_prefix(const void *key, const void *route)
{
    const struct tunnel_route *r = route;
    return compare_prefixes(key, &r->prefix);
}

bool route_table_carries(const struct route_table *t,
                         const struct address *destination)
{
    for (size_t i = 0; i < t->group_count; i++) {
        const struct route_group *g = &t->groups[i];
        if (g->family != destination->family)
            continue;
        struct prefix p = prefix_of(destination, g->bits);
        const struct tunnel_route *found =
            bsearch(&p, &t->routes[g->first], (size_t)(g->end - g->first),
                    sizeof t->routes[0], at_prefix);
        if (found)
            return !found->excluded;
    }
    return false;
}
