#include "gateway/wireguard/data/allowed_ips.h"

#include <string.h>

/* Below 0: `a` stands before `b`. */
static int compare(const struct prefix *a, const struct prefix *b)
{
    if (a->address.family != b->address.family)
        return a->address.family < b->address.family ? -1 : 1;
    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    return memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes);
}

/* The first of the entries [first, first + count) that is not before `p`. */
static uint16_t position(const struct allowed_ips *a, uint16_t first,
                         uint16_t count, const struct prefix *p)
{
    uint16_t low = first, high = (uint16_t)(first + count);
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (compare(&a->entries[middle].prefix, p) < 0)
            low = (uint16_t)(middle + 1);
        else
            high = middle;
    }
    return low;
}

static void find_levels(struct allowed_ips *a)
{
    struct allowed_ips_level *last = NULL;
    a->level_count = 0;
    for (uint16_t i = 0; i < a->count; i++) {
        const struct prefix *p = &a->entries[i].prefix;
        if (last && last->bits == p->bits &&
            last->family == p->address.family) {
            last->count++;
            continue;
        }
        last = &a->levels[a->level_count++];
        *last = (struct allowed_ips_level){p->address.family, p->bits, i, 1};
    }
}

bool allowed_ips_add(struct allowed_ips *a, const struct prefix *p,
                     uint16_t peer)
{
    struct prefix clean = prefix_of(&p->address, p->bits);
    uint16_t at = position(a, 0, a->count, &clean);
    bool known = at < a->count && compare(&a->entries[at].prefix, &clean) == 0;
    if (!known) {
        if (a->count == ALLOWED_IPS_MAX)
            return false;
        memmove(&a->entries[at + 1], &a->entries[at],
                (size_t)(a->count - at) * sizeof a->entries[0]);
        a->count++;
    }
    a->entries[at] = (struct allowed_ips_entry){clean, peer};
    find_levels(a);
    return true;
}

uint16_t allowed_ips_find(const struct allowed_ips *a,
                          const struct address *address)
{
    for (uint16_t i = 0; i < a->level_count; i++) {
        const struct allowed_ips_level *level = &a->levels[i];
        if (level->family != address->family)
            continue;
        struct prefix p = prefix_of(address, level->bits);
        uint16_t at = position(a, level->first, level->count, &p);
        if (at < level->first + level->count &&
            compare(&a->entries[at].prefix, &p) == 0)
            return a->entries[at].peer;
    }
    return ALLOWED_IPS_NOBODY;
}
