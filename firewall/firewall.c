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

bool firewall_state_is_resolver(const struct firewall *f, uint8_t family,
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
                 !firewall_state_is_resolver(
                     f, flow->key[0].family,
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
    firewall_state_judge_all(f, now);
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
    return instant_earlier(flow_deadline(&f->flows),
                           rule_names_expiry(&f->rule_sets.names));
}

uint32_t firewall_flow_count(const struct firewall *f)
{
    return f->flows.count;
}

uint32_t firewall_qube_flow_count(const struct firewall *f, uint16_t qube)
{
    return f->flows.qubes[qube][FLOW_ALL].count;
}

/* --- Ports of our own --------------------------------------------------- */

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
