#include "firewall/firewall.h"

#include <assert.h>
#include <stdlib.h>

#include "firewall/firewall_state.h"
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
    firewall_state_clear_rules(f);
    flow_table_clear(&f->flows);
    mapping_table_clear(&f->mappings);
    free(f);
}

/* --- Flows coming and going ---------------------------------------------- */

void firewall_state_end_flow(struct firewall *f, uint32_t now, uint32_t index)
{
    const struct flow *flow = &f->flows.flows[index];
    struct qube *qube = firewall_state_qube(f, flow);
    if (flow->mapping != MAPPING_NONE)
        mapping_release(&f->mappings, flow->mapping, now);
    else
        firewall_state_leave_host(f, flow);
    flow_remove(&f->flows, qube, index);
    quota_give(&f->quota, qube->number);
}

bool firewall_add_qube(struct firewall *f, struct qube *qube)
{
    if (!qube_enter(&f->qubes, qube))
        return false;
    qube->visible = qube->ipv4;
    qube->rules4 = firewall_state_rules(f, &qube->ipv4);
    qube->rules6 = firewall_state_rules(f, &qube->ipv6);
    quota_join(&f->quota, qube->number);
    mapping_join(&f->mappings, qube->number);
    return true;
}

static void end_flows(struct firewall *f, struct instant now,
                      const struct qube *qube)
{
    const struct qube_flows *all = &qube->flows[QUBE_FLOWS];
    while (all->first != FLOW_NONE)
        firewall_state_end_flow(f, firewall_state_second(now), all->first);
}

void firewall_show_address(struct firewall *f, struct instant now,
                           struct qube *qube, const struct address *visible)
{
    if (address_equal(&qube->visible, visible))
        return;
    qube->visible = *visible;
    end_flows(f, now, qube);
}

void firewall_remove_qube(struct firewall *f, struct instant now,
                          struct qube *qube)
{
    end_flows(f, now, qube);
    mapping_leave(&f->mappings, qube->number);
    for (size_t i = 0; i < FIREWALL_HOSTS; i++)
        if (f->hosts[i].qube == qube->number)
            f->hosts[i].qube = FLOW_TUNNEL_SIDE;
    quota_leave(&f->quota, qube->number);
    qube_leave(&f->qubes, qube);
}

const struct qube_table *firewall_qubes(const struct firewall *f)
{
    return &f->qubes;
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
    p->qube = firewall_state_qube(f, flow);
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
    for (struct qube *q = NULL; (q = qube_next(&f->qubes, q));) {
        uint32_t next, i = q->flows[QUBE_FLOWS].first;
        for (; i != FLOW_NONE; i = next) {
            const struct flow *flow = &f->flows.flows[i];
            next = flow->in[QUBE_FLOWS].next;
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
    for (struct qube *q = NULL; (q = qube_next(&f->qubes, q));) {
        uint32_t next, i = q->flows[QUBE_FLOWS].first;
        for (; i != FLOW_NONE; i = next) {
            const struct flow *flow = &f->flows.flows[i];
            next = flow->in[QUBE_FLOWS].next;
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
                           rule_names_expiry(&f->names));
}

uint32_t firewall_flow_count(const struct firewall *f)
{
    return f->flows.count;
}

/* --- Ports of our own ---------------------------------------------------- */

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
