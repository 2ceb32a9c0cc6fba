/* Room for new flows: their places in the table, and their external ports. A
 * qube that has less than its part gets room from the one that has most; any
 * other ends the oldest of its own flows that has led to nothing. */
#include "firewall/firewall_state.h"

static bool is_transitory(const void *context, const struct flow *flow)
{
    (void)context;
    return conntrack_is_transitory(&flow->track);
}

enum drop firewall_state_make_room(struct firewall *f, uint32_t now,
                                   struct qube *qube)
{
    if (quota_allows(&f->quota, qube->number))
        return DROP_NONE;
    struct qube *debtor = f->qubes.qubes[quota_debtor(&f->quota, qube->number)];
    uint32_t oldest = flow_oldest(&f->flows, debtor, is_transitory, NULL);
    if (oldest == FLOW_NONE && debtor != qube)
        oldest = debtor->flows[QUBE_FLOWS].first;
    if (oldest == FLOW_NONE)
        return DROP_FLOWS_FULL;
    firewall_state_end_flow(f, now, oldest);
    return DROP_NONE;
}

/* A qube that waits for this many answers waits for the oldest in vain. */
void firewall_state_limit_half_open(struct firewall *f, uint32_t now,
                                    const struct qube *qube)
{
    const struct qube_flows *list = &qube->flows[QUBE_FLOWS_HALF_OPEN];
    if (list->count >= FIREWALL_HALF_OPEN_MAX)
        firewall_state_end_flow(f, now, list->first);
}

/* --- Hosts of protocols without ports ------------------------------------ */

/* It rests as a port does, after its last packet. */
void firewall_state_leave_host(struct firewall *f, const struct flow *flow)
{
    f->hosts[f->hosts_ended++ % FIREWALL_HOSTS] = (struct firewall_host){
        .tunnel = flow->key[FLOW_SIDE_TUNNEL],
        .qube = flow->key[FLOW_SIDE_QUBE].qube,
        .until = flow->deadline - conntrack_timeout(&flow->track) +
                 (uint32_t)MAPPING_REST,
    };
}

static uint32_t rests_until(const struct firewall *f, uint16_t qube,
                            const struct flow_key *tunnel)
{
    uint32_t until = 0;
    for (size_t i = 0; i < FIREWALL_HOSTS; i++) {
        const struct firewall_host *h = &f->hosts[i];
        if (h->qube != qube && h->until > until &&
            memcmp(&h->tunnel, tunnel, sizeof *tunnel) == 0)
            until = h->until;
    }
    return until;
}

enum drop firewall_state_claim_host(struct firewall *f, uint32_t now,
                                    const struct flow_key *qube,
                                    const struct flow_key *tunnel,
                                    struct conntrack *track)
{
    uint32_t other = flow_find(&f->flows, tunnel);
    if (other != FLOW_NONE) {
        if (!conntrack_contest(&f->flows.flows[other].track, now))
            return DROP_HOST_TAKEN;
        firewall_state_end_flow(f, now, other);
    }
    conntrack_silence(track, rests_until(f, qube->qube, tunnel));
    return DROP_NONE;
}

/* --- External ports ------------------------------------------------------ */

/* A flow has to end for a port of that space. */
struct port_wish {
    const struct mapping_table *mappings;
    uint8_t space;
};

/* It is the only one that has its port. */
static bool gives_port(const void *context, const struct flow *flow)
{
    const struct port_wish *wish = context;
    if (flow->mapping == MAPPING_NONE)
        return false;
    const struct mapping *m = &wish->mappings->mappings[flow->mapping];
    return m->space == wish->space && m->flows == 1;
}

static bool gives_port_easily(const void *context, const struct flow *flow)
{
    return conntrack_is_transitory(&flow->track) && gives_port(context, flow);
}

static bool make_port(struct firewall *f, uint32_t now,
                      const struct flow_key *qube)
{
    const struct port_wish wish = {&f->mappings,
                                   mapping_space(qube->protocol, qube->family)};
    const struct quota *quota = &f->mappings.quotas[wish.space];
    struct qube *debtor = f->qubes.qubes[quota_debtor(quota, qube->qube)];
    uint32_t flow = flow_oldest(&f->flows, debtor, gives_port_easily, &wish);
    if (flow == FLOW_NONE && debtor->number != qube->qube)
        flow = flow_oldest(&f->flows, debtor, gives_port, &wish);
    if (flow == FLOW_NONE)
        return false;
    firewall_state_end_flow(f, now, flow);
    return true;
}

static uint32_t acquire(struct firewall *f, uint32_t now,
                        const struct flow_key *qube, bool shared)
{
    uint32_t mapping = mapping_acquire(&f->mappings, qube, now, shared);
    if (mapping == MAPPING_NONE && make_port(f, now, qube))
        mapping = mapping_acquire(&f->mappings, qube, now, shared);
    return mapping;
}

/* If another flow of the same port already goes to the same place (two virtual
 * resolvers are one real one), this one gets a port of its own. */
enum drop firewall_state_map(struct firewall *f, uint32_t now,
                             const struct flow_key *qube,
                             struct flow_key *tunnel, uint32_t *mapping)
{
    for (int shared = 1; shared >= 0; shared--) {
        *mapping = acquire(f, now, qube, shared);
        if (*mapping == MAPPING_NONE)
            return DROP_PORTS_FULL;
        tunnel->local_port = f->mappings.mappings[*mapping].external_port;
        if (flow_find(&f->flows, tunnel) == FLOW_NONE)
            return DROP_NONE;
        mapping_release(&f->mappings, *mapping, now);
    }
    return DROP_PORTS_FULL;
}
