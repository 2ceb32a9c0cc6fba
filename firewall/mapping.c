#include "firewall/mapping.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PROBES = 16, /* random draws before the search goes through all ports */
    PRIVILEGED = 1024,
    /* With so many in use, resting ones are given away: a draw soon hits. */
    CROWDED = MAPPING_PORTS / 8 * 7,
};

static_assert(PROBES > 0 && (int)CROWDED < MAPPING_PORTS - PRIVILEGED,
              "a port is found before it is crowded");

bool mapping_table_init(struct mapping_table *t, uint32_t capacity,
                        const uint8_t *seed)
{
    uint32_t heads = 16, quota = capacity;
    while (heads < capacity)
        heads *= 2;
    if (quota > MAPPING_PORTS - PRIVILEGED - MAPPING_OWN)
        quota = MAPPING_PORTS - PRIVILEGED - MAPPING_OWN;
    capacity += MAPPING_OWN;
    *t = (struct mapping_table){
        .mappings = calloc(capacity, sizeof *t->mappings),
        .heads = malloc(heads * sizeof *t->heads),
        .head_mask = heads - 1,
        .capacity = capacity,
        .free = MAPPING_NONE,
        .key = {load_u64(seed), load_u64(seed + 8)},
        .random_key = {load_u64(seed + 16), load_u64(seed + 24)},
    };
    if (!t->mappings || !t->heads) {
        mapping_table_clear(t);
        return false;
    }
    memset(t->heads, 0xff, heads * sizeof *t->heads);
    for (size_t i = 0; i < MAPPING_SPACES; i++) {
        t->resting[i] = (struct mapping_rest){MAPPING_NONE, MAPPING_NONE};
        quota_init(&t->quotas[i], quota);
    }
    return true;
}

void mapping_table_clear(struct mapping_table *t)
{
    free(t->mappings);
    free(t->heads);
    *t = (struct mapping_table){0};
}

uint64_t mapping_random(struct mapping_table *t)
{
    t->random_counter++;
    return siphash(&t->random_key, &t->random_counter,
                   sizeof t->random_counter);
}

bool mapping_applies(uint8_t protocol)
{
    return protocol == IP_TCP || protocol == IP_UDP || protocol == IP_ICMP ||
           protocol == IP_ICMPV6;
}

uint8_t mapping_space(uint8_t protocol, uint8_t family)
{
    uint8_t kind = protocol == IP_TCP ? 0 : protocol == IP_UDP ? 1 : 2;
    return (uint8_t)(kind + (family == ADDRESS_IPV6 ? 3 : 0));
}

/* --- Ports --------------------------------------------------------------- */

static bool is_used(const struct mapping_table *t, uint8_t space, uint32_t port)
{
    return t->used[space][port / 64] >> (port % 64) & 1;
}

static void set_used(struct mapping_table *t, uint8_t space, uint32_t port,
                     bool used)
{
    uint64_t bit = (uint64_t)1 << (port % 64);
    t->used[space][port / 64] ^= bit;
    t->used_count[space] += used ? 1 : UINT32_MAX;
}

/* The ports that a port is mapped to (RFC 4787 REQ-3): all identifiers are
 * alike, but ports below 1024 stay there. Zero is no port. */
struct port_class {
    uint32_t low, end;
};

static struct port_class class_of(uint8_t space, uint16_t port)
{
    if (space % 3 == 2)
        return (struct port_class){0, MAPPING_PORTS};
    if (port < PRIVILEGED)
        return (struct port_class){1, PRIVILEGED};
    return (struct port_class){PRIVILEGED, MAPPING_PORTS};
}

/* Goes through the bitmap once, from a random word on. */
static bool search(struct mapping_table *t, uint8_t space,
                   struct port_class class, uint16_t *port)
{
    uint32_t low = class.low / 64, words = class.end / 64 - low;
    uint32_t start = (uint32_t)(mapping_random(t) % words);
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = low + (start + i) % words;
        uint64_t free = ~t->used[space][word];
        if (word == 0 && class.low > 0)
            free &= ~(uint64_t)1;
        if (free) {
            *port = (uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(free));
            return true;
        }
    }
    return false;
}

static bool draw_port(struct mapping_table *t, uint8_t space,
                      struct port_class class, uint16_t *port)
{
    for (int i = 0; i < PROBES; i++) {
        uint64_t drawn = mapping_random(t) % (class.end - class.low);
        *port = (uint16_t)(class.low + drawn);
        if (!is_used(t, space, *port))
            return true;
    }
    return search(t, space, class, port);
}

/* If the small ports are used up, by one qube perhaps, others do too. */
static bool choose_port(struct mapping_table *t, uint8_t space, uint16_t wanted,
                        uint16_t *port)
{
    struct port_class class = class_of(space, wanted);
    bool small = class.low == 1;
    *port = wanted;
    return (!small && !is_used(t, space, wanted)) ||
           draw_port(t, space, class, port) ||
           (small && draw_port(t, space, class_of(space, PRIVILEGED), port));
}

/* --- Hash and lists ------------------------------------------------------ */

static uint32_t *head_of(const struct mapping_table *t, uint16_t qube,
                         uint16_t port, uint8_t space)
{
    uint8_t packed[5] = {(uint8_t)(qube >> 8), (uint8_t)qube,
                         (uint8_t)(port >> 8), (uint8_t)port, space};
    return &t->heads[siphash(&t->key, packed, sizeof packed) & t->head_mask];
}

static uint32_t find(const struct mapping_table *t, uint16_t qube,
                     uint16_t port, uint8_t space)
{
    uint32_t m = *head_of(t, qube, port, space);
    for (; m != MAPPING_NONE; m = t->mappings[m].next) {
        const struct mapping *mapping = &t->mappings[m];
        if (mapping->qube == qube && mapping->internal_port == port &&
            mapping->space == space)
            break;
    }
    return m;
}

static void unlink_hash(struct mapping_table *t, uint32_t m)
{
    struct mapping *mapping = &t->mappings[m];
    if (!mapping->shared)
        return;
    uint32_t *link =
        head_of(t, mapping->qube, mapping->internal_port, mapping->space);
    while (*link != m)
        link = &t->mappings[*link].next;
    *link = mapping->next;
    mapping->shared = false;
}

static void rest(struct mapping_table *t, uint32_t m, uint32_t until)
{
    struct mapping *mapping = &t->mappings[m];
    struct mapping_rest *list = &t->resting[mapping->space];
    mapping->rest_until = until;
    mapping->rest_next = MAPPING_NONE;
    mapping->rest_previous = list->last;
    if (list->last == MAPPING_NONE)
        list->first = m;
    else
        t->mappings[list->last].rest_next = m;
    list->last = m;
}

static void wake(struct mapping_table *t, uint32_t m)
{
    const struct mapping *mapping = &t->mappings[m];
    struct mapping_rest *list = &t->resting[mapping->space];
    if (mapping->rest_previous == MAPPING_NONE)
        list->first = mapping->rest_next;
    else
        t->mappings[mapping->rest_previous].rest_next = mapping->rest_next;
    if (mapping->rest_next == MAPPING_NONE)
        list->last = mapping->rest_previous;
    else
        t->mappings[mapping->rest_next].rest_previous = mapping->rest_previous;
}

/* Ends a resting mapping for good. */
static void discard(struct mapping_table *t, uint32_t m)
{
    struct mapping *mapping = &t->mappings[m];
    assert(mapping->flows == 0);
    wake(t, m);
    unlink_hash(t, m);
    set_used(t, mapping->space, mapping->external_port, false);
    mapping->next = t->free;
    t->free = m;
}

/* The one that has rested longest; with `space` MAPPING_SPACES of all. */
static bool discard_oldest(struct mapping_table *t, uint8_t space)
{
    uint32_t oldest = MAPPING_NONE;
    for (uint8_t i = 0; i < MAPPING_SPACES; i++) {
        uint32_t first = t->resting[i].first;
        if (first == MAPPING_NONE || (space != MAPPING_SPACES && space != i))
            continue;
        if (oldest == MAPPING_NONE ||
            t->mappings[first].rest_until < t->mappings[oldest].rest_until)
            oldest = first;
    }
    if (oldest == MAPPING_NONE)
        return false;
    discard(t, oldest);
    return true;
}

/* --- Mappings ------------------------------------------------------------ */

/* There is one. */
static uint32_t take_place(struct mapping_table *t)
{
    uint32_t m = t->free;
    if (m == MAPPING_NONE)
        return t->fresh++;
    t->free = t->mappings[m].next;
    return m;
}

/* May the qube have one more in use? */
static bool allows(const struct mapping_table *t, uint16_t qube, uint8_t space)
{
    return qube == MAPPING_GATEWAY ? t->own < MAPPING_OWN
                                   : quota_allows(&t->quotas[space], qube);
}

static void count_in(struct mapping_table *t, uint16_t qube, uint8_t space)
{
    if (qube == MAPPING_GATEWAY)
        t->own++;
    else
        quota_take(&t->quotas[space], qube);
}

static void count_out(struct mapping_table *t, uint16_t qube, uint8_t space)
{
    if (qube == MAPPING_GATEWAY)
        t->own--;
    else
        quota_give(&t->quotas[space], qube);
}

static uint32_t make(struct mapping_table *t, const struct flow_key *qube,
                     uint8_t space, bool shared)
{
    uint16_t port;
    if (t->used_count[space] >= CROWDED)
        discard_oldest(t, space);
    if (t->free == MAPPING_NONE && t->fresh == t->capacity &&
        !discard_oldest(t, MAPPING_SPACES))
        return MAPPING_NONE;
    while (!choose_port(t, space, qube->local_port, &port))
        if (!discard_oldest(t, space))
            return MAPPING_NONE;
    uint32_t m = take_place(t);
    struct mapping *mapping = &t->mappings[m];
    *mapping = (struct mapping){
        .qube = qube->qube,
        .internal_port = qube->local_port,
        .external_port = port,
        .space = space,
        .shared = shared,
    };
    set_used(t, space, port, true);
    if (shared) {
        uint32_t *head = head_of(t, qube->qube, qube->local_port, space);
        mapping->next = *head;
        *head = m;
    }
    return m;
}

uint32_t mapping_acquire(struct mapping_table *t, const struct flow_key *qube,
                         uint32_t now, bool shared)
{
    mapping_expire(t, now);
    uint8_t space = mapping_space(qube->protocol, qube->family);
    uint32_t m = MAPPING_NONE;
    if (shared)
        m = find(t, qube->qube, qube->local_port, space);
    if (m == MAPPING_NONE || t->mappings[m].flows == 0) {
        if (!allows(t, qube->qube, space))
            return MAPPING_NONE;
        if (m != MAPPING_NONE)
            wake(t, m);
        else
            m = make(t, qube, space, shared);
        if (m == MAPPING_NONE)
            return MAPPING_NONE;
        count_in(t, qube->qube, space);
    }
    t->mappings[m].flows++;
    return m;
}

void mapping_release(struct mapping_table *t, uint32_t mapping, uint32_t now)
{
    struct mapping *m = &t->mappings[mapping];
    assert(m->flows > 0);
    m->flows--;
    if (m->flows > 0)
        return;
    count_out(t, m->qube, m->space);
    rest(t, mapping, now + MAPPING_REST);
}

void mapping_expire(struct mapping_table *t, uint32_t now)
{
    for (size_t i = 0; i < MAPPING_SPACES; i++)
        while (t->resting[i].first != MAPPING_NONE &&
               t->mappings[t->resting[i].first].rest_until <= now)
            discard(t, t->resting[i].first);
}

void mapping_join(struct mapping_table *t, uint16_t qube)
{
    for (size_t i = 0; i < MAPPING_SPACES; i++)
        quota_join(&t->quotas[i], qube);
}

void mapping_leave(struct mapping_table *t, uint16_t qube)
{
    for (size_t i = 0; i < MAPPING_SPACES; i++) {
        quota_leave(&t->quotas[i], qube);
        for (uint32_t m = t->resting[i].first; m != MAPPING_NONE;
             m = t->mappings[m].rest_next)
            if (t->mappings[m].qube == qube) {
                unlink_hash(t, m);
                t->mappings[m].qube = FLOW_TUNNEL_SIDE;
            }
    }
}
