#include "gateway/openvpn/server/server_routes.h"

#include <assert.h>
#include <stdlib.h>

bool server_routes_init(struct server_routes *r, uint32_t count,
                        const struct siphash_key *key)
{
    *r = (struct server_routes){.key = *key, .bucket_count = 64};
    while (r->bucket_count < 2 * count)
        r->bucket_count *= 2;
    r->buckets = calloc(r->bucket_count, sizeof *r->buckets);
    return r->buckets != NULL;
}

void server_routes_clear(struct server_routes *r)
{
    assert(r->count == 0);
    free(r->buckets);
    *r = (struct server_routes){0};
}

static int version_of(const struct address *a)
{
    return a->family == ADDRESS_IPV6;
}

static bool is_wide(const struct prefix *p)
{
    return p->bits < 8 * address_size(p->address.family);
}

static struct server_route **bucket_of(const struct server_routes *r,
                                       const struct prefix *p)
{
    uint8_t key[18] = {(uint8_t)p->address.family, p->bits};
    memcpy(key + 2, p->address.bytes, address_size(p->address.family));
    return &r->buckets[siphash(&r->key, key,
                               2 + address_size(p->address.family)) &
                       (r->bucket_count - 1)];
}

static struct server_route *find_prefix(const struct server_routes *r,
                                        const struct prefix *p)
{
    struct server_route *route = *bucket_of(r, p);
    while (route && (route->prefix.bits != p->bits ||
                     !address_equal(&route->prefix.address, &p->address)))
        route = route->next_in_bucket;
    return route;
}

/* After the number of those with one length has become, or was, zero. */
static void list_lengths(struct server_routes *r, int version)
{
    r->length_count[version] = 0;
    for (int bits = 128; bits >= 0; bits--)
        if (r->used[version][bits])
            r->lengths[version][r->length_count[version]++] = (uint8_t)bits;
}

bool server_routes_add(struct server_routes *r, const struct prefix *prefix,
                       void *owner, struct server_route **list)
{
    struct prefix p = prefix_of(&prefix->address, prefix->bits);
    int version = version_of(&p.address);
    if (find_prefix(r, &p))
        return false;
    struct server_route *route = malloc(sizeof *route);
    if (!route)
        return false;
    struct server_route **bucket = bucket_of(r, &p);
    *route = (struct server_route){p, owner, *bucket, *list};
    *bucket = *list = route;
    r->count++;
    r->wide += is_wide(&p);
    if (r->used[version][p.bits]++ == 0)
        list_lengths(r, version);
    return true;
}

static void remove_one(struct server_routes *r, struct server_route *route)
{
    int version = version_of(&route->prefix.address);
    struct server_route **link = bucket_of(r, &route->prefix);
    while (*link != route)
        link = &(*link)->next_in_bucket;
    *link = route->next_in_bucket;
    r->count--;
    r->wide -= is_wide(&route->prefix);
    if (--r->used[version][route->prefix.bits] == 0)
        list_lengths(r, version);
    free(route);
}

void server_routes_remove(struct server_routes *r, struct server_route **list)
{
    while (*list) {
        struct server_route *route = *list;
        *list = route->next_of_owner;
        remove_one(r, route);
    }
}

void *server_routes_find(const struct server_routes *r,
                         const struct address *address)
{
    int version = version_of(address);
    for (uint8_t i = 0; i < r->length_count[version]; i++) {
        struct prefix p = prefix_of(address, r->lengths[version][i]);
        const struct server_route *route = find_prefix(r, &p);
        if (route)
            return route->owner;
    }
    return NULL;
}
