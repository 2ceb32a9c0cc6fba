#include "firewall/flow.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/packet/icmp.h"

/* The hashed key has no holes, and a flow is two cache lines. */
static_assert(sizeof(struct flow_key) == 24, "holes in the key");
static_assert(sizeof(struct flow) <= 128, "a flow has grown");

enum { OLDEST_LOOKED_AT = 32 };

bool flow_table_init(struct flow_table *t, uint32_t capacity,
                     const struct siphash_key *key)
{
    uint32_t heads = 16;
    while (heads < 2 * capacity)
        heads *= 2;
    *t = (struct flow_table){
        .flows = calloc(capacity, sizeof *t->flows),
        .heads = malloc(heads * sizeof *t->heads),
        .head_mask = heads - 1,
        .capacity = capacity,
        .key = *key,
        .free = FLOW_NONE,
    };
    if (!t->flows || !t->heads) {
        flow_table_clear(t);
        return false;
    }
    memset(t->heads, 0xff, heads * sizeof *t->heads);
    memset(t->wheel, 0xff, sizeof t->wheel);
    return true;
}

void flow_table_clear(struct flow_table *t)
{
    free(t->flows);
    free(t->heads);
    *t = (struct flow_table){0};
}

/* --- Hash ---------------------------------------------------------------- */

/* The address last: what an IPv4 key has no need of is not hashed. */
static uint32_t *head_of(const struct flow_table *t, const struct flow_key *k)
{
    size_t unused = k->family == ADDRESS_IPV4 ? 12 : 0;
    uint8_t packed[sizeof *k];
    memcpy(packed, &k->remote_port, 8);
    memcpy(packed + 8, k->remote, 16 - unused);
    uint64_t hash = siphash(&t->key, packed, sizeof packed - unused);
    return &t->heads[hash & t->head_mask];
}

static bool same_key(const struct flow_key *a, const struct flow_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

uint32_t flow_find(const struct flow_table *t, const struct flow_key *key)
{
    uint32_t entry = *head_of(t, key);
    while (entry != FLOW_NONE) {
        const struct flow *f = &t->flows[entry / 2];
        if (same_key(&f->key[entry % 2], key))
            return entry / 2;
        entry = f->next[entry % 2];
    }
    return FLOW_NONE;
}

static void hash_insert(struct flow_table *t, uint32_t flow, unsigned side)
{
    uint32_t *head = head_of(t, &t->flows[flow].key[side]);
    t->flows[flow].next[side] = *head;
    *head = flow * 2 + side;
}

static void hash_remove(struct flow_table *t, uint32_t flow, unsigned side)
{
    uint32_t *link = head_of(t, &t->flows[flow].key[side]);
    while (*link != flow * 2 + side)
        link = &t->flows[*link / 2].next[*link % 2];
    *link = t->flows[flow].next[side];
}

/* --- Wheel --------------------------------------------------------------- */

/* A deadline further away than the wheel is long waits a full round first. */
static void wheel_insert(struct flow_table *t, uint32_t flow)
{
    struct flow *f = &t->flows[flow];
    uint32_t ahead = f->deadline - t->second;
    if (ahead >= FLOW_WHEEL_SLOTS)
        ahead = FLOW_WHEEL_SLOTS - 1;
    if (t->next_second > t->second + ahead)
        t->next_second = t->second + ahead;
    f->wheel_slot = (uint16_t)((t->second + ahead) % FLOW_WHEEL_SLOTS);
    uint32_t *head = &t->wheel[f->wheel_slot];
    f->wheel_previous = FLOW_NONE;
    f->wheel_next = *head;
    if (*head != FLOW_NONE)
        t->flows[*head].wheel_previous = flow;
    *head = flow;
}

static void wheel_remove(struct flow_table *t, uint32_t flow)
{
    struct flow *f = &t->flows[flow];
    if (f->wheel_previous == FLOW_NONE)
        t->wheel[f->wheel_slot] = f->wheel_next;
    else
        t->flows[f->wheel_previous].wheel_next = f->wheel_next;
    if (f->wheel_next != FLOW_NONE)
        t->flows[f->wheel_next].wheel_previous = f->wheel_previous;
}

void flow_touch(struct flow_table *t, uint32_t flow, uint32_t now,
                uint32_t timeout)
{
    struct flow *f = &t->flows[flow];
    uint32_t deadline = now + timeout;
    bool earlier = deadline < f->deadline;
    f->deadline = deadline;
    if (earlier) {
        wheel_remove(t, flow);
        wheel_insert(t, flow);
    }
}

/* Looked for once a turn of the wheel, so that asking costs nothing. */
static void find_next_second(struct flow_table *t)
{
    uint32_t ahead = 0;
    while (ahead < FLOW_WHEEL_SLOTS &&
           t->wheel[(t->second + ahead) % FLOW_WHEEL_SLOTS] == FLOW_NONE)
        ahead++;
    t->next_second = t->second + ahead;
}

uint32_t flow_expired(struct flow_table *t, uint32_t now)
{
    while (t->second <= now) {
        uint32_t flow = t->wheel[t->second % FLOW_WHEEL_SLOTS];
        while (flow != FLOW_NONE) {
            uint32_t next = t->flows[flow].wheel_next;
            if (t->flows[flow].deadline <= t->second)
                return flow;
            wheel_remove(t, flow);
            wheel_insert(t, flow);
            flow = next;
        }
        if (t->second == now)
            break;
        t->second++;
    }
    if (t->next_second <= now)
        find_next_second(t);
    return FLOW_NONE;
}

/* --- Flows --------------------------------------------------------------- */

static void list_append(struct flow_table *t, struct qube *qube,
                        enum qube_flow_order order, uint32_t flow)
{
    struct qube_flows *list = &qube->flows[order];
    struct flow_place *place = &t->flows[flow].in[order];
    *place = (struct flow_place){FLOW_NONE, list->last};
    if (list->last == FLOW_NONE)
        list->first = flow;
    else
        t->flows[list->last].in[order].next = flow;
    list->last = flow;
    list->count++;
}

static void list_remove(struct flow_table *t, struct qube *qube,
                        enum qube_flow_order order, uint32_t flow)
{
    struct qube_flows *list = &qube->flows[order];
    const struct flow_place *place = &t->flows[flow].in[order];
    if (place->previous == FLOW_NONE)
        list->first = place->next;
    else
        t->flows[place->previous].in[order].next = place->next;
    if (place->next == FLOW_NONE)
        list->last = place->previous;
    else
        t->flows[place->next].in[order].previous = place->previous;
    list->count--;
}

void flow_tracked(struct flow_table *t, struct qube *qube, uint32_t flow)
{
    struct flow *f = &t->flows[flow];
    bool half_open = conntrack_is_half_open(&f->track);
    if (half_open == f->half_open)
        return;
    f->half_open = half_open;
    if (half_open)
        list_append(t, qube, QUBE_FLOWS_HALF_OPEN, flow);
    else
        list_remove(t, qube, QUBE_FLOWS_HALF_OPEN, flow);
}

static uint32_t peer_index(const struct flow_table *t, uint8_t family,
                           const uint8_t *address)
{
    size_t size = family == ADDRESS_IPV4 ? 4 : 16;
    return siphash(&t->key, address, size) % FLOW_PEER_COUNTERS;
}

static uint32_t *peers_of(struct flow_table *t, uint32_t flow)
{
    const struct flow_key *k = &t->flows[flow].key[1];
    return &t->peers[peer_index(t, k->family, k->remote)];
}

bool flow_knows_peer(const struct flow_table *t, uint8_t family,
                     const uint8_t *address)
{
    return t->peers[peer_index(t, family, address)] > 0;
}

static uint32_t take_place(struct flow_table *t)
{
    uint32_t flow = t->free;
    if (flow != FLOW_NONE)
        t->free = t->flows[flow].next[0];
    else if (t->fresh < t->capacity)
        flow = t->fresh++;
    return flow;
}

uint32_t flow_insert(struct flow_table *t, struct qube *qube,
                     const struct flow_key *qube_side,
                     const struct flow_key *tunnel_side, uint32_t now,
                     uint32_t timeout)
{
    assert(qube_side->qube == qube->number);
    uint32_t flow = take_place(t);
    if (flow == FLOW_NONE)
        return FLOW_NONE;
    struct flow *f = &t->flows[flow];
    t->count++;
    *f = (struct flow){
        .key = {*qube_side, *tunnel_side},
        .deadline = now + timeout,
        .mapping = FLOW_NONE,
    };
    hash_insert(t, flow, 0);
    hash_insert(t, flow, 1);
    ++*peers_of(t, flow);
    /* The wheel may be turned rarely; it must not be ahead of a deadline. */
    if (t->count == 1) {
        t->second = now;
        t->next_second = UINT32_MAX;
    }
    wheel_insert(t, flow);
    list_append(t, qube, QUBE_FLOWS, flow);
    return flow;
}

void flow_remove(struct flow_table *t, struct qube *qube, uint32_t flow)
{
    struct flow *f = &t->flows[flow];
    hash_remove(t, flow, 0);
    hash_remove(t, flow, 1);
    --*peers_of(t, flow);
    wheel_remove(t, flow);
    list_remove(t, qube, QUBE_FLOWS, flow);
    if (f->half_open)
        list_remove(t, qube, QUBE_FLOWS_HALF_OPEN, flow);
    f->next[0] = t->free;
    t->free = flow;
    t->count--;
}

struct flow_key flow_key_of(const struct ip_packet *ip, uint16_t qube,
                            bool reversed)
{
    struct flow_key k = {
        .remote_port = reversed ? ip->source_port : ip->destination_port,
        .local_port = reversed ? ip->destination_port : ip->source_port,
        .qube = qube,
        .protocol = ip->protocol,
        .family = ip->family,
    };
    /* An identifier is the asking side's alone, and each kind of question has
     * its own. */
    if (ip->protocol == IP_ICMP || ip->protocol == IP_ICMPV6)
        k.remote_port = icmp_request_type(ip);
    memcpy(k.remote, reversed ? ip_source(ip) : ip_destination(ip),
           ip_address_size(ip));
    return k;
}

struct instant flow_deadline(const struct flow_table *t)
{
    if (t->count == 0)
        return INSTANT_NEVER;
    return (struct instant){(int64_t)t->next_second * 1000000};
}

uint32_t flow_oldest(struct flow_table *t, struct qube *qube,
                     bool (*suits)(const void *context,
                                   const struct flow *flow),
                     const void *context)
{
    const struct qube_flows *list = &qube->flows[QUBE_FLOWS];
    for (int i = 0; i < OLDEST_LOOKED_AT && list->first != FLOW_NONE; i++) {
        uint32_t flow = list->first;
        if (suits(context, &t->flows[flow]))
            return flow;
        list_remove(t, qube, QUBE_FLOWS, flow);
        list_append(t, qube, QUBE_FLOWS, flow);
    }
    return FLOW_NONE;
}
