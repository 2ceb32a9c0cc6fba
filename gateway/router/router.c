#include "gateway/router/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/packet/ip_packet.h"
#include "gateway/router/router_state.h"
#include "gateway/router/verdict.h"

struct router *router_new(const struct router_options *options)
{
    static const uint8_t link_local[16] = {0xfe, 0x80, [8] = 0xfc, 0xff, 0xff,
                                           0xff, 0xfe, 0xff,       0xff, 0xff};
    struct firewall_options inner = {
        .flows = options->flows,
        .accept_unruled = options->accept_unruled,
    };
    memcpy(inner.seed, options->seed, sizeof inner.seed);
    struct router *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->firewall = firewall_new(&inner);
    r->fragments = fragments_new(ROUTER_SHARES);
    if (!r->firewall || !r->fragments) {
        router_free(r);
        return NULL;
    }
    r->qubes = firewall_qubes(r->firewall);
    r->accept_unruled = options->accept_unruled;
    dns_init(&r->dns);
    name_queries_init(&r->names, r->firewall);
    r->gateway4 = r->dns.virtual[0];
    r->link_local = address_from_bytes(ADDRESS_IPV6, link_local);
    r->gateway6 = r->link_local;
    return r;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    for (struct qube *q; r->qubes && (q = qube_next(r->qubes, NULL));)
        router_remove_qube(r, q);
    firewall_free(r->firewall);
    fragments_free(r->fragments);
    free(r);
}

/* --- Qubes and tunnel ---------------------------------------------------- */

static void show_addresses(struct router *r, struct instant now, struct qube *q)
{
    struct shown_address_entry shown = shown_address_find(&r->mapped, &q->ipv4);
    q->gateway = shown.gateway;
    q->true_gateway = shown_address_find(&r->gateways, &q->ipv4).gateway;
    firewall_show_address(r->firewall, now, q,
                          address_is_set(&shown.visible) ? &shown.visible
                                                         : &q->ipv4);
}

struct qube *router_add_qube(struct router *r, struct instant now,
                             const char *name, const struct address *ipv4,
                             const struct address *ipv6)
{
    r->now = now;
    if (qube_find(r->qubes, ipv4) || (ipv6 && qube_find(r->qubes, ipv6)))
        return NULL;
    struct qube *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    snprintf(q->name, sizeof q->name, "%s", name);
    q->ipv4 = *ipv4;
    if (ipv6)
        q->ipv6 = *ipv6;
    if (!firewall_add_qube(r->firewall, q)) {
        free(q);
        return NULL;
    }
    show_addresses(r, now, q);
    router_state_describe(r, now, q);
    return q;
}

void router_remove_qube(struct router *r, struct qube *q)
{
    fragments_forget(r->fragments, q->number);
    fragments_forget(r->fragments,
                     (uint16_t)(ROUTER_SHARE_AWAITED + q->number));
    firewall_remove_qube(r->firewall, r->now, q);
    free(q);
}

/* By its real IPv4 address. */
static void show_addresses_of(struct router *r, struct instant now,
                              const struct address *real)
{
    struct qube *q = qube_find(r->qubes, real);
    if (q)
        show_addresses(r, now, q);
}

void router_show_addresses(struct router *r, struct instant now,
                           const struct address *real,
                           const struct address *visible,
                           const struct address *gateway)
{
    const struct shown_address_entry entry = {*real, *visible, *gateway};
    char text[ADDRESS_TEXT_SIZE];
    if (real->family != ADDRESS_IPV4)
        return;
    if (!shown_address_set(&r->mapped, &entry))
        log_warn("router: %s is shown as it is: too many others are not",
                 address_format(real, text));
    show_addresses_of(r, now, real);
}

void router_set_qube_gateway(struct router *r, const struct address *real,
                             const struct address *gateway)
{
    const struct shown_address_entry entry = {.real = *real,
                                              .gateway = *gateway};
    bool room = shown_address_set(&r->gateways, &entry);
    assert(room); /* one for each --downstream */
    show_addresses_of(r, r->now, real);
}

void router_set_gateway_address(struct router *r, const struct address *address)
{
    if (address->family == ADDRESS_IPV4)
        r->gateway4 = *address;
    else if (address->family == ADDRESS_IPV6)
        r->gateway6 = *address;
}

/* A server that blocks IPv6 gives none, whatever else it says. */
static struct tunnel usable(const struct tunnel *t)
{
    struct tunnel tunnel = *t;
    if (tunnel.block_ipv6)
        tunnel.ipv6 = (struct prefix){0};
    return tunnel;
}

static bool carries(const void *table, const struct address *destination)
{
    return route_table_carries(table, destination);
}

bool router_reset_flows(struct router *r, struct instant now,
                        const struct tunnel *t, struct packet_batch *replies)
{
    struct tunnel next = usable(t);
    struct route_table table;
    const struct firewall_routes routes = {&table, carries};
    route_table_build(&table, &next);
    return firewall_reset_flows(r->firewall, now, &next, &routes, replies);
}

/* Would its resolvers say the same of a name? */
static bool is_same(const struct router *r, const struct dns *dns,
                    const struct address *own)
{
    return address_equal(own, &r->tunnel.ipv4.address) &&
           address_equal(&dns->resolvers[0], &r->dns.resolvers[0]) &&
           address_equal(&dns->resolvers[1], &r->dns.resolvers[1]);
}

void router_tunnel_up(struct router *r, struct instant now,
                      const struct tunnel *t)
{
    const struct firewall_routes routes = {&r->routes, carries};
    const struct dns dns = r->dns;
    const struct address own = r->tunnel.ipv4.address;
    r->now = now;
    r->up = true;
    r->tunnel = usable(t);
    route_table_build(&r->routes, &r->tunnel);
    dns_set_tunnel(&r->dns, &r->tunnel);
    firewall_set_tunnel(r->firewall, now, &r->tunnel, &routes);
    name_queries_restart(&r->names, now, !is_same(r, &dns, &own));
    router_state_judge_names(r, now, true);
}

void router_tunnel_down(struct router *r, struct instant now)
{
    r->now = now;
    r->up = false;
    router_state_judge_names(r, now, true);
}

/* --- Time and drops ------------------------------------------------------ */

/* Held and answered packets are not lost, only not passed on. */
static void count(struct drop_counters *drops, enum drop reason)
{
    if (reason != DROP_HELD && reason != DROP_ANSWERED)
        drop_count(drops, reason);
}

void router_lost(struct router *r, const struct packet *packet,
                 enum drop reason)
{
    drop_count(packet->qube ? &packet->qube->drops : &r->drops, reason);
}

static void expire_fragments(struct router *r, struct instant now)
{
    struct fragments_loss loss;
    while (fragments_lost(r->fragments, now, &loss)) {
        struct drop_counters *drops = loss.share < QUBES_MAX
                                          ? &r->qubes->qubes[loss.share]->drops
                                          : &r->drops;
        drops->count[loss.reason] += loss.count;
    }
}

/* A flow or a name that has come to its end must not see another packet. */
static void begin(struct router *r, struct instant now)
{
    r->now = now;
    router_state_judge_names(r, now, false);
    firewall_expire(r->firewall, now);
    expire_fragments(r, now);
    fragments_release(r->fragments);
}

void router_expire(struct router *r, struct instant now)
{
    r->now = now;
    router_state_judge_names(r, now, false);
    firewall_expire(r->firewall, now);
    expire_fragments(r, now);
}

void router_own_packets(struct router *r, struct instant now,
                        struct packet_batch *out)
{
    if (router_state_can_resolve(r))
        name_queries_ask(&r->names, now, &r->dns, &r->tunnel.ipv4.address, out);
    router_state_judge_names(r, now, false);
}

struct instant router_deadline(const struct router *r)
{
    struct instant deadline = instant_earlier(firewall_deadline(r->firewall),
                                              fragments_deadline(r->fragments));
    if (router_state_can_resolve(r))
        deadline = instant_earlier(deadline, name_queries_deadline(&r->names));
    return deadline;
}

/* --- Packets ------------------------------------------------------------- */

static void judge_from_qube(struct router *r, struct instant now,
                            struct packet *p, struct packet_batch *replies)
{
    struct qube *q = p->qube;
    if (!q) {
        p->drop = DROP_UNKNOWN_QUBE;
        drop_count(&r->drops, DROP_UNKNOWN_QUBE);
        return;
    }
    enum drop drop = p->drop;
    if (drop == DROP_NONE)
        drop = ip_packet_parse(p);
    if (drop == DROP_NONE) {
        drop = verdict_from_qube(r, now, p);
        if (drop != DROP_NONE)
            icmp_replies_add(
                &q->answers, router_state_gateway(r, q, p->ip.family), now, p,
                drop, tunnel_mtu(&r->tunnel, p->ip.family), replies);
    }
    p->drop = (uint8_t)drop;
    if (drop != DROP_NONE) {
        count(&q->drops, drop);
        return;
    }
    q->packets_up++;
    q->bytes_up += packet_total(p);
}

void router_from_qubes(struct router *r, struct instant now,
                       struct packet_batch *batch, struct packet_batch *replies)
{
    assert(replies->memory && replies->buffer_size > PACKET_HEADROOM);
    begin(r, now);
    for (size_t i = 0; i < batch->count; i++)
        judge_from_qube(r, now, &batch->packets[i], replies);
}

static void judge_from_tunnel(struct router *r, struct instant now,
                              struct packet *p, struct packet_batch *replies)
{
    enum drop drop = p->drop;
    if (drop == DROP_NONE) {
        assert(p->ip.data == p->data);
        drop = verdict_from_tunnel(r, now, p);
    }
    if (drop == DROP_TOO_BIG) {
        p->qube = NULL;
        icmp_replies_add(&r->outside_answers, router_state_own(r, p->ip.family),
                         now, p, drop, PACKET_QUBE_MTU, replies);
    }
    if (drop == DROP_ANSWERED)
        router_state_judge_names(r, now, false);
    p->drop = (uint8_t)drop;
    if (drop != DROP_NONE) {
        count(&r->drops, drop);
        return;
    }
    p->qube->packets_down++;
    p->qube->bytes_down += packet_total(p);
}

void router_from_tunnel(struct router *r, struct instant now,
                        struct packet_batch *batch,
                        struct packet_batch *replies)
{
    assert(replies->memory && replies->buffer_size > PACKET_HEADROOM);
    begin(r, now);
    for (size_t i = 0; i < batch->count; i++)
        judge_from_tunnel(r, now, &batch->packets[i], replies);
}

/* --- Status -------------------------------------------------------------- */

const struct qube *router_next_qube(const struct router *r,
                                    const struct qube *qube)
{
    return qube_next(r->qubes, qube);
}

const struct drop_counters *router_drops(const struct router *r)
{
    return &r->drops;
}

uint32_t router_flow_count(const struct router *r)
{
    return firewall_flow_count(r->firewall);
}
