/* Packets along the flows that they belong to, or begin: tracked, translated,
 * and the ICMP errors about them. */
#include "firewall/firewall_state.h"
#include "firewall/nat.h"
#include "gateway/packet/icmp.h"
#include "gateway/packet/mss.h"
#include "gateway/packet/segment.h"

/* The ends of a packet to the tunnel and of one to the qube. */
static struct nat_ends ends_in_tunnel(const struct firewall *f,
                                      const struct flow *flow)
{
    const struct flow_key *k = &flow->key[FLOW_SIDE_TUNNEL];
    return (struct nat_ends){
        .source = firewall_state_external(f, k->family)->bytes,
        .destination = k->remote,
        .source_port = k->local_port,
        .destination_port = k->remote_port,
    };
}

static struct nat_ends ends_at_qube(const struct firewall *f,
                                    const struct flow *flow)
{
    const struct flow_key *k = &flow->key[FLOW_SIDE_QUBE];
    bool echo = k->protocol == IP_ICMP || k->protocol == IP_ICMPV6;
    return (struct nat_ends){
        .source = k->remote,
        .destination = firewall_state_internal(f, flow)->bytes,
        .source_port = echo ? k->local_port : k->remote_port,
        .destination_port = k->local_port,
    };
}

/* As the other side has sent it, which is what its errors quote. */
static struct nat_ends reversed(const struct nat_ends *ends, uint8_t protocol)
{
    bool echo = protocol == IP_ICMP || protocol == IP_ICMPV6;
    return (struct nat_ends){
        .source = ends->destination,
        .destination = ends->source,
        .source_port = echo ? ends->source_port : ends->destination_port,
        .destination_port = ends->source_port,
    };
}

static enum drop track(struct firewall *f, uint32_t now, uint32_t index,
                       const struct ip_packet *ip, enum flow_side from)
{
    struct flow *flow = &f->flows.flows[index];
    struct conntrack *c = &flow->track;
    bool refreshed;
    if (conntrack_is_silent(c, now))
        return DROP_HOST_TAKEN;
    enum drop drop = conntrack_pass(c, ip, from, &refreshed);
    flow_tracked(&f->flows, firewall_state_qube(f, flow), index);
    if (drop == DROP_NONE && refreshed)
        flow_touch(&f->flows, index, now, conntrack_timeout(c));
    return drop;
}

/* Behind one address the identifications of several qubes must not meet
 * (RFC 6864 5.3), so packets that may be fragmented get new ones. */
static void renew_id(struct firewall *f, struct packet *packet)
{
    struct ip_packet *ip = &packet->ip;
    if (ip->family == ADDRESS_IPV6) {
        if (packet->fragment_size == 0)
            return;
        ip->fragment_id = (uint32_t)mapping_random(&f->mappings);
        store_u32(ip->data + IPV6_HEADER_SIZE + 4, ip->fragment_id);
        return;
    }
    if (ip->dont_fragment && packet->fragment_size == 0)
        return;
    uint64_t hash = siphash(&f->flows.key, ip_destination(ip), 4);
    uint16_t *id = &f->ids[hash % FIREWALL_ID_COUNTERS];
    nat_set_id(ip, *id);
    *id = (uint16_t)(*id + segment_count(packet, f->mtu));
}

/* --- From qubes ---------------------------------------------------------- */

/* Another connection along the same flow: the rules are asked as for any new
 * one. They may refuse now what a host name has accepted. */
static enum drop reopen(struct firewall *f, struct instant now, uint32_t index,
                        const struct ip_packet *ip)
{
    struct flow *flow = &f->flows.flows[index];
    const struct flow_key *qube = &flow->key[FLOW_SIDE_QUBE];
    uint32_t second = firewall_state_second(now);
    struct rules_verdict verdict = firewall_state_judge(
        f, now, qube, &flow->key[FLOW_SIDE_TUNNEL], RULES_NO_RULE);
    if (verdict.drop != DROP_NONE) {
        firewall_state_end_flow(f, second, index);
        return verdict.drop;
    }
    flow->accepted_by = (unsigned)verdict.rule & RULES_NO_RULE;
    if (!flow->half_open)
        firewall_state_limit_half_open(f, second, firewall_state_qube(f, flow));
    return conntrack_open(&flow->track, ip);
}

/* Makes a flow for a first packet if rules and quotas allow it. */
static enum drop open_flow(struct firewall *f, struct instant now,
                           const struct packet *packet,
                           const struct flow_key *key,
                           const struct address *redirect, uint32_t *index)
{
    uint32_t second = firewall_state_second(now);
    struct qube *qube = packet->qube;
    struct conntrack track;
    struct flow_key tunnel = *key;
    tunnel.qube = FLOW_TUNNEL_SIDE;
    if (redirect)
        memcpy(tunnel.remote, redirect->bytes, sizeof tunnel.remote);
    struct rules_verdict verdict =
        firewall_state_judge(f, now, key, &tunnel, RULES_NO_RULE);
    enum drop drop = verdict.drop;
    if (drop == DROP_NONE)
        drop = conntrack_open(&track, &packet->ip);
    if (drop == DROP_NONE &&
        !token_bucket_take(&qube->new_flows, now, FIREWALL_FLOW_RATE,
                           FIREWALL_FLOW_BURST))
        drop = DROP_FLOW_RATE;
    if (drop == DROP_NONE)
        drop = firewall_state_make_room(f, second, qube);
    if (drop != DROP_NONE)
        return drop;

    uint32_t mapping = MAPPING_NONE;
    if (conntrack_is_half_open(&track))
        firewall_state_limit_half_open(f, second, qube);
    drop = mapping_applies(key->protocol)
               ? firewall_state_map(f, second, key, &tunnel, &mapping)
               : firewall_state_claim_host(f, second, key, &tunnel, &track);
    if (drop != DROP_NONE)
        return drop;
    *index = flow_insert(&f->flows, qube, key, &tunnel, second,
                         conntrack_timeout(&track));
    assert(*index != FLOW_NONE);
    f->flows.flows[*index].mapping = mapping;
    f->flows.flows[*index].track = track;
    f->flows.flows[*index].accepted_by = (unsigned)verdict.rule & RULES_NO_RULE;
    flow_tracked(&f->flows, qube, *index);
    quota_take(&f->quota, qube->number);
    return DROP_NONE;
}

static enum drop send_along(struct firewall *f, struct instant now,
                            uint32_t index, struct packet *packet)
{
    struct flow *flow = &f->flows.flows[index];
    const struct ip_packet *ip = &packet->ip;
    enum drop drop = DROP_NONE;
    if (flow->withheld)
        return DROP_NAME_UNKNOWN;
    if (ip->protocol == IP_TCP && conntrack_reopens(&flow->track, ip))
        drop = reopen(f, now, index, ip);
    if (drop == DROP_NONE)
        drop = track(f, firewall_state_second(now), index, ip, FLOW_SIDE_QUBE);
    if (drop != DROP_NONE)
        return drop;
    struct nat_ends ends = ends_in_tunnel(f, flow);
    mss_clamp(packet, f->mss_size);
    nat_rewrite(packet, &ends);
    renew_id(f, packet);
    return DROP_NONE;
}

static bool same_address(const uint8_t *a, const uint8_t *b,
                         const struct ip_packet *ip)
{
    return memcmp(a, b, ip_address_size(ip)) == 0;
}

/* An attacker who sees nothing cannot quote a sequence number that fits. */
static bool quote_fits(const struct flow *flow, const struct ip_packet *quoted,
                       enum flow_side from)
{
    return quoted->protocol != IP_TCP ||
           conntrack_sent(&flow->track, from,
                          load_u32(ip_transport(quoted) + TCP_SEQUENCE));
}

static enum drop send_error(struct firewall *f, struct packet *packet)
{
    const struct ip_packet *ip = &packet->ip;
    struct ip_packet quoted;
    enum drop drop = icmp_find_quoted(packet, &quoted);
    if (drop != DROP_NONE)
        return drop;
    struct flow_key key = flow_key_of(&quoted, packet->qube->number, true);
    uint32_t index = flow_find(&f->flows, &key);
    if (index == FLOW_NONE)
        return DROP_ICMP_EMBEDDED;
    const struct flow *flow = &f->flows.flows[index];
    if (flow->withheld)
        return DROP_NAME_UNKNOWN;
    /* It must have gone to this qube, and its error goes to its sender. */
    if (!same_address(ip_destination(&quoted), ip_source(ip), ip) ||
        !same_address(ip_source(&quoted), ip_destination(ip), ip) ||
        !quote_fits(flow, &quoted, FLOW_SIDE_TUNNEL))
        return DROP_ICMP_EMBEDDED;
    struct nat_ends outer = ends_in_tunnel(f, flow);
    struct nat_ends inner = reversed(&outer, quoted.protocol);
    nat_rewrite_error(packet, &quoted, &inner, &outer);
    renew_id(f, packet);
    return DROP_NONE;
}

enum drop firewall_send(struct firewall *f, struct instant now,
                        struct packet *packet, struct firewall_way *way)
{
    if (icmp_is_error(&packet->ip))
        return send_error(f, packet);
    struct flow_key key = flow_key_of(&packet->ip, packet->qube->number, false);
    uint32_t index = flow_find(&f->flows, &key);
    enum drop drop = way->judge(way, now, packet, index != FLOW_NONE);
    if (drop == DROP_NONE && index == FLOW_NONE)
        drop = open_flow(f, now, packet, &key, way->redirect, &index);
    return drop == DROP_NONE ? send_along(f, now, index, packet) : drop;
}

/* --- From the tunnel ----------------------------------------------------- */

static enum drop receive_error(struct firewall *f, uint32_t now,
                               struct packet *packet)
{
    const struct ip_packet *ip = &packet->ip;
    struct ip_packet quoted;
    enum drop drop = icmp_find_quoted(packet, &quoted);
    if (drop != DROP_NONE)
        return drop;
    struct flow_key key = flow_key_of(&quoted, FLOW_TUNNEL_SIDE, false);
    uint32_t index = flow_find(&f->flows, &key);
    if (index == FLOW_NONE)
        return DROP_ICMP_EMBEDDED;
    const struct flow *flow = &f->flows.flows[index];
    if (flow->withheld)
        return DROP_NAME_UNKNOWN;
    if (!same_address(ip_source(&quoted), ip_destination(ip), ip) ||
        conntrack_is_silent(&flow->track, now) ||
        !quote_fits(flow, &quoted, FLOW_SIDE_QUBE))
        return DROP_ICMP_EMBEDDED;
    struct nat_ends outer = ends_at_qube(f, flow);
    struct nat_ends inner = reversed(&outer, quoted.protocol);
    /* Any router on the way may say it; the flow's own end speaks under the
     * address that the qube knows. */
    uint8_t router[16];
    memcpy(router, ip_source(ip), ip_address_size(ip));
    if (!same_address(router, flow->key[FLOW_SIDE_TUNNEL].remote, ip))
        outer.source = router;
    packet->qube = firewall_state_qube(f, flow);
    nat_rewrite_error(packet, &quoted, &inner, &outer);
    return DROP_NONE;
}

struct qube *firewall_awaited_by(const struct firewall *f,
                                 const struct ip_packet *ip)
{
    struct flow_key key = flow_key_of(ip, FLOW_TUNNEL_SIDE, true);
    uint32_t index = flow_find(&f->flows, &key);
    return index == FLOW_NONE ? NULL
                              : firewall_state_qube(f, &f->flows.flows[index]);
}

bool firewall_knows_sender(const struct firewall *f, const struct ip_packet *ip)
{
    return flow_knows_peer(&f->flows, ip->family, ip_source(ip));
}

/* A packet that came in fragments goes on in fragments. */
static bool is_above(const struct packet *packet, uint16_t mtu)
{
    return packet->ip.dont_fragment && packet->fragment_size == 0 &&
           packet_largest_segment(packet) > mtu;
}

enum drop firewall_receive(struct firewall *f, struct instant now,
                           struct packet *packet, uint16_t mtu)
{
    const struct ip_packet *ip = &packet->ip;
    if (icmp_is_error(ip))
        return receive_error(f, firewall_state_second(now), packet);
    if (icmp_is(ip) && !icmp_is_reply(ip))
        return icmp_is_request(ip) ? DROP_NO_FLOW : DROP_ICMP_TYPE;
    struct flow_key key = flow_key_of(ip, FLOW_TUNNEL_SIDE, true);
    uint32_t index = flow_find(&f->flows, &key);
    if (index == FLOW_NONE)
        return DROP_NO_FLOW;
    const struct flow *flow = &f->flows.flows[index];
    if (is_above(packet, mtu))
        return DROP_TOO_BIG;
    if (flow->withheld)
        return DROP_NAME_UNKNOWN;
    enum drop drop =
        track(f, firewall_state_second(now), index, ip, FLOW_SIDE_TUNNEL);
    if (drop != DROP_NONE)
        return drop;
    packet->qube = firewall_state_qube(f, flow);
    struct nat_ends ends = ends_at_qube(f, flow);
    mss_clamp(packet, f->mss_size);
    nat_rewrite(packet, &ends);
    return DROP_NONE;
}
