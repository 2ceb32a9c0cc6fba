#include "gateway/openvpn/server_pool.h"

#include <assert.h>
#include <stdlib.h>

/* Where OpenVPN's pool starts (openvpn: helper.c). */
enum { IPV6_FIRST = 0x1000, IPV6_FIRST_SMALL = 2, IPV6_SMALL_BITS = 112 };

bool server_pool_init(struct server_pool *p, const struct server_config *config)
{
    *p = (struct server_pool){
        .first = config->pool_first,
        .ipv6 = config->ipv6,
        .count = config->pool_last - config->pool_first + 1,
    };
    if (p->count > SERVER_POOL_MAX)
        p->count = SERVER_POOL_MAX;
    if (p->ipv6.address.family == ADDRESS_IPV6)
        p->ipv6_first =
            (load_u32(p->ipv6.address.bytes + 12) & ~0xffffU) +
            (p->ipv6.bits >= IPV6_SMALL_BITS ? IPV6_FIRST_SMALL : IPV6_FIRST);
    p->places = calloc(p->count, sizeof *p->places);
    return p->places != NULL;
}

void server_pool_clear(struct server_pool *p)
{
    free(p->places);
    *p = (struct server_pool){0};
}

/* One's own of earlier, else one that nobody ever had, else the one that was
 * left first. */
static bool better(const struct server_place *a, const struct server_place *b,
                   uint64_t name)
{
    if (!b)
        return true;
    if ((a->name == name) != (b->name == name))
        return a->name == name;
    if ((a->name == 0) != (b->name == 0))
        return a->name == 0;
    return a->left < b->left;
}

bool server_pool_take(struct server_pool *p, uint64_t name, void *owner,
                      uint32_t *number)
{
    struct server_place *best = NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        struct server_place *place = &p->places[i];
        if (!place->owner && better(place, best, name))
            best = place;
    }
    if (!best)
        return false;
    best->owner = owner;
    best->name = name;
    *number = (uint32_t)(best - p->places);
    return true;
}

void server_pool_give(struct server_pool *p, uint32_t number)
{
    assert(number < p->count && p->places[number].owner);
    p->places[number].owner = NULL;
    p->places[number].left = ++p->departures;
}

struct address server_pool_ipv4(const struct server_pool *p, uint32_t number)
{
    return address_ipv4(p->first + number);
}

struct address server_pool_ipv6(const struct server_pool *p, uint32_t number)
{
    struct address a = p->ipv6.address;
    if (a.family == ADDRESS_IPV6)
        store_u32(a.bytes + 12, p->ipv6_first + number);
    return a;
}

void *server_pool_owner(const struct server_pool *p,
                        const struct address *address)
{
    uint32_t number = p->count;
    if (address->family == ADDRESS_IPV4)
        number = address_to_ipv4(address) - p->first;
    else if (p->ipv6.address.family == ADDRESS_IPV6 &&
             memcmp(address->bytes, p->ipv6.address.bytes, 12) == 0)
        number = load_u32(address->bytes + 12) - p->ipv6_first;
    return number < p->count ? p->places[number].owner : NULL;
}
