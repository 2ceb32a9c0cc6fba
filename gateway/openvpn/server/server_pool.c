#include "gateway/openvpn/server/server_pool.h"

#include <assert.h>
#include <stdlib.h>

bool server_pool_init(struct server_pool *p, const struct server_config *config,
                      const struct siphash_key *key)
{
    uint32_t step = server_config_pool_step(config);
    *p = (struct server_pool){
        .key = *key,
        .first = config->pool_first / step * step + step / 2,
        .step = step,
        .ipv6_first = config->ipv6_first,
        .count = server_config_pool_count(config),
    };
    p->places = calloc(p->count, sizeof *p->places);
    return p->places != NULL;
}

void server_pool_clear(struct server_pool *p)
{
    for (uint32_t i = 0; p->places && i < p->count; i++)
        free(p->places[i].name);
    free(p->places);
    *p = (struct server_pool){0};
}

static uint64_t hash_of(const struct server_pool *p, const char *name)
{
    return name ? siphash(&p->key, name, strlen(name)) | 1 : 0;
}

static bool is_of(const struct server_place *place, uint64_t hash,
                  const char *name)
{
    return name && place->hash == hash && place->name &&
           strcmp(place->name, name) == 0;
}

/* One that nobody ever had, else the one that was left first. */
static bool better(const struct server_place *a, const struct server_place *b)
{
    if (!b)
        return true;
    if ((a->hash == 0) != (b->hash == 0))
        return a->hash == 0;
    return a->left < b->left;
}

/* Its own of earlier, else the best. */
static struct server_place *choose(const struct server_pool *p,
                                   const char *name, uint64_t hash)
{
    struct server_place *best = NULL;
    for (uint32_t i = 0; i < p->touched; i++) {
        struct server_place *place = &p->places[i];
        if (place->owner)
            continue;
        if (is_of(place, hash, name))
            return place;
        if (better(place, best))
            best = place;
    }
    if (p->touched < p->count && better(&p->places[p->touched], best))
        best = &p->places[p->touched];
    return best;
}

/* Without memory for its name it is only not known again. */
static void occupy(struct server_pool *p, struct server_place *place,
                   const char *name, uint64_t hash, void *owner)
{
    if (!is_of(place, hash, name)) {
        free(place->name);
        place->name = name ? strdup(name) : NULL;
        place->hash = hash ? hash : 1;
    }
    place->owner = owner;
    uint32_t number = (uint32_t)(place - p->places);
    if (number >= p->touched)
        p->touched = number + 1;
}

bool server_pool_take(struct server_pool *p, const char *name, void *owner,
                      uint32_t *number)
{
    uint64_t hash = hash_of(p, name);
    struct server_place *best = choose(p, name, hash);
    if (!best)
        return false;
    occupy(p, best, name, hash, owner);
    *number = (uint32_t)(best - p->places);
    return true;
}

bool server_pool_take_number(struct server_pool *p, uint32_t number,
                             const char *name, void *owner)
{
    struct server_place *place = &p->places[number];
    assert(number < p->count);
    if (place->owner)
        return false;
    occupy(p, place, name, hash_of(p, name), owner);
    return true;
}

void server_pool_remember(struct server_pool *p, const char *name,
                          const struct address *ipv4)
{
    uint32_t number;
    if (server_pool_number(p, ipv4, &number) && !p->places[number].owner)
        occupy(p, &p->places[number], name, hash_of(p, name), NULL);
}

void server_pool_give(struct server_pool *p, uint32_t number)
{
    assert(number < p->count && p->places[number].owner);
    p->places[number].owner = NULL;
    p->places[number].left = ++p->departures;
}

struct address server_pool_ipv4(const struct server_pool *p, uint32_t number)
{
    return address_ipv4(p->first + number * p->step);
}

struct address server_pool_ipv6(const struct server_pool *p, uint32_t number)
{
    struct address a = p->ipv6_first;
    if (address_is_set(&a))
        store_u32(a.bytes + 12, load_u32(a.bytes + 12) + number);
    return a;
}

bool server_pool_number(const struct server_pool *p, const struct address *ipv4,
                        uint32_t *number)
{
    if (ipv4->family != ADDRESS_IPV4)
        return false;
    uint32_t distance = address_to_ipv4(ipv4) - p->first;
    *number = distance / p->step;
    return distance % p->step == 0 && *number < p->count;
}
