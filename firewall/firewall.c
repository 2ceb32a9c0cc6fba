#include "firewall/firewall.h"

#include <assert.h>
#include <stdlib.h>

#include "firewall/firewall_state.h"
#include "gateway/packet/ip_packet.h"
#include "gateway/packet/refusal.h"

enum {
    PORT_UNPRIVILEGED = 1024, /* a bit that makes a port no small one */
};

struct firewall *firewall_new(const struct firewall_options *options)
{
    struct firewall *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    const struct siphash_key key = {load_u64(options->seed),
                                    load_u64(options->seed + 8)};
    if (!flow_table_init(&f->flows, options->flows, &key) ||
        !mapping_table_init(&f->mappings, options->flows, options->seed)) {
        firewall_free(f);
        return NULL;
    }
    f->accept_unruled = options->accept_unruled;
    quota_init(&f->quota, options->flows);
    for (size_t i = 0; i < FIREWALL_ID_COUNTERS; i++)
        f->ids[i] = (uint16_t)mapping_random(&f->mappings);
    return f;
}

void firewall_free(struct firewall *f)
{
    if (!f)
        return;
    rule_sets_clear(&f->rule_sets);
    flow_table_clear(&f->flows);
    mapping_table_clear(&f->mappings);
    free(f);
}

/* --- Flows coming and going ----------------------------------------------- */

void firewall_state_end_flow(struct firewall *f, uint32_t now, uint32_t index)
{
    const struct flow *flow = &f->flows.flows[index];
    uint16_t qube = flow->key[FLOW_SIDE_QUBE].qube;
    if (flow->mapping != MAPPING_NONE)
        mapping_release(&f->mappings, flow->mapping, now);
    else
        firewall_state_leave_host(f, flow);
    flow_remove(&f->flows, index);
    quota_give(&f->quota, qube);
}

void firewall_add_qube(struct firewall *f, uint16_t qube,
                       const struct address *ipv4, const struct address *ipv6)
{
    assert(qube < FIREWALL_QUBES_MAX && !f->qubes[qube].present);
    f->qubes[qube] = (struct firewall_qube){
        .present = true,
        .ipv4 = *ipv4,
        .ipv6 = *ipv6,
        .visible = *ipv4,
        .rules4 = rule_sets_find(&f->rule_sets, ipv4),
        .rules6 = rule_sets_find(&f->rule_sets, ipv6),
    };
    quota_join(&f->quota, qube);
    mapping_join(&f->mappings, qube);
}

static void end_flows(struct firewall *f, struct instant now, uint16_t qube)
{
    const struct flow_list *all = &f->flows.qubes[qube][FLOW_ALL];
    while (all->first != FLOW_NONE)
        firewall_state_end_flow(f, firewall_state_second(now), all->first);
}

void firewall_show_address(struct firewall *f, struct instant now,
                           uint16_t qube, const struct address *visible)
{
    struct firewall_qube *q = &f->qubes[qube];
    if (address_equal(&q->visible, visible))
        return;
    q->visible = *visible;
    end_flows(f, now, qube);
}

void firewall_remove_qube(struct firewall *f, struct instant now, uint16_t qube)
{
    assert(qube < FIREWALL_QUBES_MAX && f->qubes[qube].present);
    end_flows(f, now, qube);
    mapping_leave(&f->mappings, qube);
    for (size_t i = 0; i < FIREWALL_HOSTS; i++)
        if (f->hosts[i].qube == qube)
            f->hosts[i].qube = FLOW_TUNNEL_SIDE;
    quota_leave(&f->quota, qube);
    f->qubes[qube].present = false;
}

static bool is_redirected(const struct flow *flow)
{
    return memcmp(flow->key[FLOW_SIDE_QUBE].remote,
                  flow->key[FLOW_SIDE_TUNNEL].remote,
                  sizeof flow->key[0].remote) != 0;
}

static bool is_resolver(const struct firewall *f, uint8_t family,
                        const uint8_t *bytes)
{
    for (size_t i = 0; i < f->resolver_count; i++) {
        const struct address *a = &f->resolvers[i];
        if (a->family == family &&
            memcmp(a->bytes, bytes, address_size(a->family)) == 0)
            return true;
    }
    return false;
}

/* Can the flow not go on in that tunnel? A resolver is reached in any. */
static bool ends_with(const struct firewall *f, const struct flow *flow,
                      const struct tunnel *tunnel,
                      const struct firewall_routes *routes)
{
    bool v4 = flow->key[0].family == ADDRESS_IPV4;
    struct address to = address_from_bytes(flow->key[0].family,
                                           flow->key[FLOW_SIDE_TUNNEL].remote);
    return !address_equal(v4 ? &f->ipv4 : &f->ipv6,
                          v4 ? &tunnel->ipv4.address : &tunnel->ipv6.address) ||
           (!is_redirected(flow) && !routes->carries(routes->table, &to));
}

/* A SYN that waits for its answer is sent again, and finds the new way. */
static bool wants_reset(const struct flow *flow)
{
    return flow->track.state == CONNTRACK_TCP_ANSWERED ||
           flow->track.state == CONNTRACK_TCP_ESTABLISHED ||
           flow->track.state == CONNTRACK_TCP_CLOSING;
}

/* As from the other end. Where a packet of it was lost on its way, the number
 * is not the one that the qube waits for; it asks (RFC 5961 3.2), and its
 * question is answered with the right one, as it belongs to no flow. */
static bool write_ending(const struct firewall *f, const struct flow *flow,
                         struct packet_batch *out)
{
    const struct flow_key *k = &flow->key[FLOW_SIDE_QUBE];
    const struct refusal_ending ending = {
        .family = k->family,
        .flags = TCP_RST | TCP_ACK,
        .source = k->remote,
        .destination = firewall_state_internal(f, flow)->bytes,
        .source_port = k->remote_port,
        .destination_port = k->local_port,
        .sequence = flow->track.ends[FLOW_SIDE_TUNNEL].end,
        .acknowledgement = flow->track.ends[FLOW_SIDE_QUBE].end,
    };
    struct packet *p = packet_batch_add(out);
    if (!p)
        return false;
    p->qube = k->qube;
    bool written =
        refusal_write_ending(&ending, p, out->buffer_size - PACKET_HEADROOM);
    assert(written);
    return true;
}

bool firewall_reset_flows(struct firewall *f, struct instant now,
                          const struct tunnel *tunnel,
                          const struct firewall_routes *routes,
                          struct packet_batch *out)
{
    for (size_t qube = 0; qube < FIREWALL_QUBES_MAX; qube++) {
        uint32_t next, i = f->flows.qubes[qube][FLOW_ALL].first;
        for (; i != FLOW_NONE; i = next) {
            const struct flow *flow = &f->flows.flows[i];
            next = flow->in[FLOW_ALL].next;
            if (!ends_with(f, flow, tunnel, routes))
                continue;
            if (wants_reset(flow) && !write_ending(f, flow, out))
                return false;
            firewall_state_end_flow(f, firewall_state_second(now), i);
        }
    }
    return true;
}

void firewall_set_tunnel(struct firewall *f, struct instant now,
                         const struct tunnel *tunnel,
                         const struct firewall_routes *routes)
{
    f->resolver_count = tunnel->resolver_count;
    memcpy(f->resolvers, tunnel->resolvers, sizeof f->resolvers);
    for (size_t qube = 0; qube < FIREWALL_QUBES_MAX; qube++) {
        uint32_t next, i = f->flows.qubes[qube][FLOW_ALL].first;
        for (; i != FLOW_NONE; i = next) {
            const struct flow *flow = &f->flows.flows[i];
            next = flow->in[FLOW_ALL].next;
            if (ends_with(f, flow, tunnel, routes) ||
                (is_redirected(flow) &&
                 !is_resolver(f, flow->key[0].family,
                              flow->key[FLOW_SIDE_TUNNEL].remote)))
                firewall_state_end_flow(f, firewall_state_second(now), i);
        }
    }
    f->ipv4 = tunnel->ipv4.address;
    f->ipv6 = tunnel->ipv6.address;
    f->mtu = tunnel_mtu(tunnel, ADDRESS_IPV4);
    f->mss_size = f->mtu;
    if (tunnel->mss_mtu > 0 && tunnel->mss_mtu < f->mss_size)
        f->mss_size = tunnel->mss_mtu;
}

void firewall_expire(struct firewall *f, struct instant now)
{
    uint32_t flow;
    while ((flow = flow_expired(&f->flows, firewall_state_second(now))) !=
           FLOW_NONE)
        firewall_state_end_flow(f, firewall_state_second(now), flow);
}

struct instant firewall_deadline(const struct firewall *f)
{
    return flow_deadline(&f->flows);
}

uint32_t firewall_flow_count(const struct firewall *f)
{
    return f->flows.count;
}

uint32_t firewall_qube_flow_count(const struct firewall *f, uint16_t qube)
{
    return f->flows.qubes[qube][FLOW_ALL].count;
}

/* --- Rules ---------------------------------------------------------------- */

/* Questions for names go by IPv4. */
static bool resolves_names(const struct firewall *f)
{
    for (size_t i = 0; i < f->resolver_count; i++)
        if (f->resolvers[i].family == ADDRESS_IPV4)
            return f->ipv4.family == ADDRESS_IPV4;
    return false;
}

/* By the keys that a flow has, or would have: then it may be refused until
 * names are resolved, if there is somebody who does. */
static enum drop judge(const struct firewall *f, struct instant now,
                       const struct flow_key *qube,
                       const struct flow_key *tunnel, bool stands)
{
    const struct firewall_qube *q = &f->qubes[qube->qube];
    bool v4 = qube->family == ADDRESS_IPV4;
    const struct rules *rules = v4 ? q->rules4 : q->rules6;
    if (!rules && f->accept_unruled)
        return DROP_NONE;
    struct rules_question question = {
        .family = qube->family,
        .protocol = qube->protocol,
        .icmp_type = v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST,
        .port = tunnel->remote_port,
        .destination = address_from_bytes(qube->family, tunnel->remote),
        .asked = address_from_bytes(qube->family, qube->remote),
        .to_resolver = is_resolver(f, tunnel->family, tunnel->remote),
        .may_wait = !stands && resolves_names(f),
    };
    return rules_judge(rules, &f->rule_sets.names, now, &question);
}

static void end_forbidden(struct firewall *f, struct instant now, uint16_t qube,
                          enum address_family family)
{
    uint32_t next, i = f->flows.qubes[qube][FLOW_ALL].first;
    for (; i != FLOW_NONE; i = next) {
        const struct flow *flow = &f->flows.flows[i];
        next = flow->in[FLOW_ALL].next;
        if (flow->key[0].family == family &&
            judge(f, now, &flow->key[0], &flow->key[1], true) != DROP_NONE)
            firewall_state_end_flow(f, firewall_state_second(now), i);
    }
}

/* Tells the qube with that address, if there is one. */
static void apply(struct firewall *f, struct instant now,
                  const struct address *source, const struct rules *rules)
{
    for (uint16_t i = 0; i < FIREWALL_QUBES_MAX; i++) {
        struct firewall_qube *q = &f->qubes[i];
        bool v4 = address_equal(&q->ipv4, source);
        if (!q->present || (!v4 && !address_equal(&q->ipv6, source)))
            continue;
        *(v4 ? &q->rules4 : &q->rules6) = rules;
        end_forbidden(f, now, i, source->family);
    }
}

void firewall_forget_rules(struct firewall *f, struct instant now,
                           const struct address *source)
{
    struct rules *old;
    bool swapped = rule_sets_swap(&f->rule_sets, source, NULL, &old);
    assert(swapped);
    apply(f, now, source, NULL);
    rules_free(old, &f->rule_sets.names);
}

enum error firewall_set_rules(struct firewall *f, struct instant now,
                              const struct address *source,
                              const struct rules_entry *entries, size_t count,
                              char problem[RULES_PROBLEM_SIZE])
{
    struct rule_names *names = &f->rule_sets.names;
    struct rules *old, *rules = rules_parse(source, entries, count, names);
    if (!rules) {
        firewall_forget_rules(f, now, source);
        return ERROR_MEMORY;
    }
    if (!rule_sets_swap(&f->rule_sets, source, rules, &old)) {
        rules_free(rules, names);
        return ERROR_BUSY;
    }
    memcpy(problem, rules->problem, RULES_PROBLEM_SIZE);
    apply(f, now, source, rules);
    rules_free(old, names);
    return rules->bad ? ERROR_INVALID : OK;
}

const struct rules *firewall_rules(const struct firewall *f, uint16_t qube,
                                   enum address_family family)
{
    const struct firewall_qube *q = &f->qubes[qube];
    return family == ADDRESS_IPV4 ? q->rules4 : q->rules6;
}

uint64_t firewall_random(struct firewall *f)
{
    return mapping_random(&f->mappings);
}

bool firewall_lend_port(struct firewall *f, struct instant now,
                        struct firewall_port *out)
{
    const struct flow_key own = {
        .local_port = (uint16_t)(firewall_random(f) | PORT_UNPRIVILEGED),
        .qube = MAPPING_GATEWAY,
        .protocol = IP_UDP,
        .family = ADDRESS_IPV4,
    };
    uint32_t m =
        mapping_acquire(&f->mappings, &own, firewall_state_second(now), false);
    if (m == MAPPING_NONE)
        return false;
    *out = (struct firewall_port){f->mappings.mappings[m].external_port, m};
    return true;
}

void firewall_return_port(struct firewall *f, struct instant now,
                          const struct firewall_port *port)
{
    mapping_release(&f->mappings, port->mapping, firewall_state_second(now));
}

struct rule_names *firewall_names(struct firewall *f)
{
    return &f->rule_sets.names;
}

/* --- A first packet ------------------------------------------------------- */

enum drop firewall_open(struct firewall *f, struct instant now,
                        const struct packet *packet, const struct ip_packet *ip,
                        const struct address *redirect, uint32_t *flow)
{
    uint32_t second = firewall_state_second(now);
    struct conntrack track;
    struct flow_key qube = flow_key_of(ip, packet->qube, false);
    struct flow_key tunnel = qube;
    tunnel.qube = FLOW_TUNNEL_SIDE;
    if (redirect)
        memcpy(tunnel.remote, redirect->bytes, sizeof tunnel.remote);
    enum drop drop = judge(f, now, &qube, &tunnel, false);
    if (drop == DROP_NONE)
        drop = conntrack_open(&track, ip);
    if (drop == DROP_NONE &&
        !token_bucket_take(&f->qubes[packet->qube].new_flows, now,
                           FIREWALL_FLOW_RATE, FIREWALL_FLOW_BURST))
        drop = DROP_FLOW_RATE;
    if (drop == DROP_NONE)
        drop = firewall_state_make_room(f, second, packet->qube);
    if (drop != DROP_NONE)
        return drop;

    uint32_t mapping = MAPPING_NONE;
    if (conntrack_is_half_open(&track))
        firewall_state_limit_half_open(f, second, packet->qube);
    drop = mapping_applies(qube.protocol)
               ? firewall_state_map(f, second, &qube, &tunnel, &mapping)
               : firewall_state_claim_host(f, second, &qube, &tunnel, &track);
    if (drop != DROP_NONE)
        return drop;
    *flow = flow_insert(&f->flows, &qube, &tunnel, second,
                        conntrack_timeout(&track));
    assert(*flow != FLOW_NONE);
    f->flows.flows[*flow].mapping = mapping;
    f->flows.flows[*flow].track = track;
    flow_tracked(&f->flows, *flow);
    quota_take(&f->quota, packet->qube);
    return DROP_NONE;
}
