#include "gateway/router/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "firewall/firewall.h"
#include "firewall/fragments.h"
#include "firewall/icmp.h"
#include "gateway/base/log.h"
#include "gateway/router/answers.h"
#include "gateway/router/dns.h"
#include "gateway/router/name_queries.h"
#include "gateway/router/route_table.h"
#include "gateway/router/rules_file.h"
#include "gateway/router/scope.h"

enum {
    QUBE_NAME_SIZE = 64,
    TUNNEL_FRAGMENTS = ROUTER_QUBES_MAX, /* the tunnel's as a source */
    NO_QUBE = UINT16_MAX,                /* of the gateway's own packets */
};

struct qube {
    bool present;
    char name[QUBE_NAME_SIZE];
    struct address ipv4, ipv6;
    char rules[RULES_TEXT_SIZE]; /* what they are, for people */
    struct token_bucket answers;
    struct drop_counters drops;
    uint64_t packets_up, packets_down, bytes_up, bytes_down;
};

struct router {
    struct firewall *firewall;
    struct fragments *fragments;
    bool accept_unruled;
    bool up;
    struct instant now;    /* of the last call that told it */
    struct tunnel granted; /* by the server */
    struct tunnel tunnel;  /* with what the user has set instead */
    uint16_t resolver_count;
    struct address resolvers[TUNNEL_RESOLVERS_MAX]; /* set by the user */
    struct route_table routes;
    struct dns dns;
    struct name_queries names;
    struct answers answers;
    struct address link_local; /* of fe:ff:ff:ff:ff:ff */
    struct drop_counters drops;
    uint16_t limit; /* places of qubes at and above it were never used */
    struct qube qubes[ROUTER_QUBES_MAX];
};

static_assert((int)ROUTER_QUBES_MAX == (int)FIREWALL_QUBES_MAX,
              "router and firewall count qubes alike");

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
    r->fragments = fragments_new();
    if (!r->firewall || !r->fragments) {
        router_free(r);
        return NULL;
    }
    r->accept_unruled = options->accept_unruled;
    dns_init(&r->dns);
    name_queries_init(&r->names, r->firewall);
    r->answers.ipv4 = r->dns.virtual[0];
    r->link_local = address_from_bytes(ADDRESS_IPV6, link_local);
    r->answers.ipv6 = r->link_local;
    return r;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    firewall_free(r->firewall);
    fragments_free(r->fragments);
    free(r);
}

/* --- Qubes and tunnel ----------------------------------------------------- */

static bool has_address(const struct qube *q, const struct address *a)
{
    return q->present && a->family != ADDRESS_NONE &&
           (address_equal(&q->ipv4, a) || address_equal(&q->ipv6, a));
}

static bool is_qube(const struct router *r, const struct address *a)
{
    for (size_t i = 0; i < r->limit; i++)
        if (has_address(&r->qubes[i], a))
            return true;
    return false;
}

static void describe_rules(struct router *r, uint16_t qube)
{
    struct qube *q = &r->qubes[qube];
    const struct rules *rules4 =
        firewall_rules(r->firewall, qube, ADDRESS_IPV4);
    rules_describe(rules4, r->accept_unruled, q->rules);
    if (q->ipv6.family == ADDRESS_NONE)
        return;
    char text4[RULES_TEXT_SIZE], text6[RULES_TEXT_SIZE];
    memcpy(text4, q->rules, sizeof text4);
    rules_describe(firewall_rules(r->firewall, qube, ADDRESS_IPV6),
                   r->accept_unruled, text6);
    if (strcmp(text4, text6) != 0)
        snprintf(q->rules, sizeof q->rules, "%.110s; IPv6: %.110s", text4,
                 text6);
}

int router_add_qube(struct router *r, struct instant now, const char *name,
                    const struct address *ipv4, const struct address *ipv6)
{
    static const struct address unset;
    r->now = now;
    if (!ipv6)
        ipv6 = &unset;
    if (is_qube(r, ipv4) || is_qube(r, ipv6))
        return -1;
    for (uint16_t i = 0; i < ROUTER_QUBES_MAX; i++) {
        struct qube *q = &r->qubes[i];
        if (q->present)
            continue;
        *q = (struct qube){.present = true, .ipv4 = *ipv4, .ipv6 = *ipv6};
        snprintf(q->name, sizeof q->name, "%s", name);
        if (r->limit <= i)
            r->limit = (uint16_t)(i + 1);
        firewall_add_qube(r->firewall, i, ipv4, ipv6);
        describe_rules(r, i);
        return i;
    }
    return -1;
}

void router_remove_qube(struct router *r, int qube)
{
    if (qube < 0 || qube >= ROUTER_QUBES_MAX || !r->qubes[qube].present)
        return;
    firewall_remove_qube(r->firewall, r->now, (uint16_t)qube);
    fragments_forget(r->fragments, (uint16_t)qube);
    r->qubes[qube].present = false;
}

void router_set_gateway_address(struct router *r, const struct address *address)
{
    if (address->family == ADDRESS_IPV4)
        r->answers.ipv4 = *address;
    else if (address->family == ADDRESS_IPV6)
        r->answers.ipv6 = *address;
}

static void redescribe(struct router *r, const struct address *source)
{
    for (uint16_t i = 0; i < ROUTER_QUBES_MAX; i++)
        if (has_address(&r->qubes[i], source))
            describe_rules(r, i);
}

void router_set_rules(struct router *r, struct instant now,
                      const struct address *source,
                      const struct rules_entry *entries, size_t count)
{
    char problem[RULES_PROBLEM_SIZE], text[ADDRESS_TEXT_SIZE];
    enum error error =
        firewall_set_rules(r->firewall, now, source, entries, count, problem);
    if (error != OK)
        log_warn("firewall: all packets from %s are dropped: %s",
                 address_format(source, text),
                 error == ERROR_INVALID ? problem : error_text(error));
    redescribe(r, source);
}

void router_forget_rules(struct router *r, struct instant now,
                         const struct address *source)
{
    firewall_forget_rules(r->firewall, now, source);
    redescribe(r, source);
}

bool router_load_rules(struct router *r, struct instant now, struct bytes text,
                       size_t *line)
{
    struct rules_file *file = rules_file_parse(text, line);
    if (!file)
        return false;
    const struct rules_file_source *s;
    for (size_t i = 0; (s = rules_file_source(file, i)) != NULL; i++)
        router_set_rules(r, now, &s->source, s->entries, s->count);
    rules_file_free(file);
    return true;
}

/* The tunnel as the server granted it, but for what the user has set. */
static struct tunnel usable(const struct router *r, const struct tunnel *t)
{
    struct tunnel tunnel = *t;
    if (tunnel.block_ipv6)
        tunnel.ipv6 = (struct prefix){0};
    if (r->resolver_count > 0) {
        tunnel.resolver_count = r->resolver_count;
        memcpy(tunnel.resolvers, r->resolvers, sizeof r->resolvers);
    }
    return tunnel;
}

bool router_reset_flows(struct router *r, struct instant now,
                        const struct tunnel *t, struct packet_batch *replies)
{
    struct tunnel next = usable(r, t);
    return firewall_reset_flows(r->firewall, now, &next, replies);
}

static void adopt_tunnel(struct router *r, struct instant now)
{
    r->tunnel = usable(r, &r->granted);
    route_table_build(&r->routes, &r->tunnel);
    dns_set_tunnel(&r->dns, &r->tunnel);
    firewall_set_tunnel(r->firewall, now, &r->tunnel);
    name_queries_restart(&r->names, now);
}

void router_tunnel_up(struct router *r, struct instant now,
                      const struct tunnel *t)
{
    r->granted = *t;
    r->up = true;
    adopt_tunnel(r, now);
}

void router_set_resolvers(struct router *r, struct instant now,
                          const struct address *resolvers, size_t count)
{
    if (count > TUNNEL_RESOLVERS_MAX)
        count = TUNNEL_RESOLVERS_MAX;
    r->resolver_count = (uint16_t)count;
    if (count > 0)
        memcpy(r->resolvers, resolvers, count * sizeof r->resolvers[0]);
    if (r->up)
        adopt_tunnel(r, now);
}

void router_tunnel_down(struct router *r, struct instant now)
{
    r->now = now;
    r->up = false;
}

/* --- Time and drops ------------------------------------------------------- */

/* Held and answered packets are not lost, only not passed on. */
static void count(struct drop_counters *drops, enum drop reason)
{
    if (reason != DROP_HELD && reason != DROP_ANSWERED)
        drop_count(drops, reason);
}

void router_lost(struct router *r, const struct packet *packet,
                 enum drop reason)
{
    bool known =
        packet->qube < ROUTER_QUBES_MAX && r->qubes[packet->qube].present;
    drop_count(known ? &r->qubes[packet->qube].drops : &r->drops, reason);
}

static void expire_fragments(struct router *r, struct instant now)
{
    uint16_t source, lost;
    while (fragments_expired(r->fragments, now, &source, &lost)) {
        struct drop_counters *drops =
            source == TUNNEL_FRAGMENTS ? &r->drops : &r->qubes[source].drops;
        drops->count[DROP_FRAGMENT_TIMEOUT] += lost;
    }
}

/* What has come to its end must not see another packet. */
static void begin(struct router *r, struct instant now)
{
    r->now = now;
    firewall_expire(r->firewall, now);
    expire_fragments(r, now);
    fragments_release(r->fragments);
}

void router_expire(struct router *r, struct instant now)
{
    r->now = now;
    firewall_expire(r->firewall, now);
    expire_fragments(r, now);
}

static bool can_resolve(const struct router *r)
{
    return r->up && r->tunnel.ipv4.address.family != ADDRESS_NONE &&
           r->dns.resolvers[0].family != ADDRESS_NONE;
}

void router_own_packets(struct router *r, struct instant now,
                        struct packet_batch *out)
{
    uint16_t i = out->count;
    if (can_resolve(r))
        name_queries_ask(&r->names, now, &r->dns, &r->tunnel.ipv4.address, out);
    for (; i < out->count; i++)
        out->packets[i].qube = NO_QUBE;
}

struct instant router_deadline(const struct router *r)
{
    struct instant deadline = instant_earlier(firewall_deadline(r->firewall),
                                              fragments_deadline(r->fragments));
    if (can_resolve(r))
        deadline = instant_earlier(deadline, name_queries_deadline(&r->names));
    return deadline;
}

/* Collects fragments; DROP_NONE when the packet is whole, and *ip is it. */
static enum drop reassemble(struct router *r, struct instant now,
                            uint16_t source, struct packet *p,
                            struct ip_packet *ip)
{
    switch (fragments_take(r->fragments, now, source, p, ip)) {
    case FRAGMENTS_HELD:
        return DROP_HELD;
    case FRAGMENTS_REFUSED:
        return DROP_FRAGMENT;
    case FRAGMENTS_WHOLE:
        break;
    }
    return ip_packet_parse(p, ip);
}

/* --- From qubes ----------------------------------------------------------- */

static bool is_own_source(const struct qube *q, const struct ip_packet *ip)
{
    const struct address *own =
        ip->family == ADDRESS_IPV4 ? &q->ipv4 : &q->ipv6;
    return own->family != ADDRESS_NONE &&
           memcmp(own->bytes, ip_source(ip), ip_address_size(ip)) == 0;
}

static bool is_gateway(const struct router *r, const struct address *a)
{
    return address_equal(a, &r->answers.ipv4) ||
           address_equal(a, &r->answers.ipv6) ||
           address_equal(a, &r->link_local) || dns_is_virtual(&r->dns, a);
}

static bool is_tunnel_end(const struct router *r, const struct address *a)
{
    return address_equal(a, a->family == ADDRESS_IPV4
                                ? &r->tunnel.ipv4.address
                                : &r->tunnel.ipv6.address);
}

/* To an address that is ours: ping is answered, DNS goes to the tunnel's
 * resolver, there is nothing else. */
static enum drop to_gateway(const struct router *r, struct instant now,
                            const struct ip_packet *ip,
                            const struct address *destination,
                            const struct address **redirect)
{
    bool dns = dns_is_virtual(&r->dns, destination) &&
               (ip->protocol == IP_TCP || ip->protocol == IP_UDP) &&
               ip->destination_port == DNS_PORT;
    if (icmp_is_echo_request(ip))
        return DROP_ANSWERED;
    if (!dns)
        return DROP_GATEWAY_SERVICE;
    if (!r->up)
        return DROP_TUNNEL_DOWN;
    *redirect = dns_resolver(&r->dns, now, destination);
    return *redirect ? DROP_NONE : DROP_NO_RESOLVER;
}

static enum drop route(const struct router *r, const struct address *to)
{
    const struct prefix *own =
        to->family == ADDRESS_IPV4 ? &r->tunnel.ipv4 : &r->tunnel.ipv6;
    if (own->address.family == ADDRESS_NONE)
        return to->family == ADDRESS_IPV6 ? DROP_NO_IPV6 : DROP_NO_ROUTE;
    if (is_tunnel_end(r, to))
        return DROP_HAIRPIN;
    return route_table_carries(&r->routes, to) ? DROP_NONE : DROP_NO_ROUTE;
}

/* May a packet without a flow go where it wants to? */
static enum drop judge_destination(const struct router *r, struct instant now,
                                   const struct ip_packet *ip,
                                   const struct address **redirect)
{
    struct address to = address_from_bytes(ip->family, ip_destination(ip));
    if (is_gateway(r, &to))
        return to_gateway(r, now, ip, &to, redirect);
    if (scope_is_martian(&to))
        return DROP_MARTIAN;
    if (is_qube(r, &to))
        return DROP_QUBE_TO_QUBE;
    if (!r->up)
        return DROP_TUNNEL_DOWN;
    if (is_tunnel_end(r, &to) && icmp_is_echo_request(ip))
        return DROP_ANSWERED;
    return route(r, &to);
}

/* IPv4 without DF may be cut to the tunnel's MTU: a plain packet into
 * fragments, a TCP super-packet into smaller segments. What came in fragments
 * leaves so. */
static bool is_too_big(const struct router *r, const struct packet *p,
                       const struct ip_packet *ip)
{
    uint32_t size =
        p->fragment_size > 0 ? p->fragment_size : ip_largest_segment(ip, p);
    if (size <= tunnel_mtu(&r->tunnel, ip->family))
        return false;
    return ip->dont_fragment || p->gso == PACKET_GSO_UDP;
}

/* Those without ports are told apart by their ends alone; only such pass whose
 * checksums do not cover the addresses. */
static bool is_known_protocol(const struct ip_packet *ip)
{
    return ip->protocol == IP_TCP || ip->protocol == IP_UDP || icmp_is(ip) ||
           ip->protocol == IP_GRE || ip->protocol == IP_ESP ||
           ip->protocol == IP_SCTP;
}

static enum drop from_qube(struct router *r, struct instant now,
                           struct packet *p, struct ip_packet *ip)
{
    bool own = is_own_source(&r->qubes[p->qube], ip);
    if (scope_is_link(ip) && (own || scope_needs_no_address(ip)))
        return DROP_LINK_LOCAL;
    if (!own)
        return DROP_SPOOFED;
    if (ip->options)
        return DROP_IP_OPTIONS;
    if (ip_is_fragment(ip)) {
        enum drop drop = reassemble(r, now, p->qube, p, ip);
        if (drop != DROP_NONE)
            return drop;
    }
    if (icmp_is_error(ip)) {
        if (!r->up)
            return DROP_TUNNEL_DOWN;
        return ip->ttl > 1 ? firewall_send_error(r->firewall, p, ip) : DROP_TTL;
    }
    if (icmp_is(ip) && !icmp_is_echo_request(ip))
        return DROP_ICMP_TYPE;

    uint32_t flow = FIREWALL_NO_FLOW;
    const struct address *redirect = NULL;
    enum drop drop = DROP_NONE;
    if (r->up)
        flow = firewall_find(r->firewall, p, ip);
    if (flow == FIREWALL_NO_FLOW)
        drop = judge_destination(r, now, ip, &redirect);
    if (drop == DROP_NONE && ip->ttl <= 1)
        drop = DROP_TTL;
    if (drop == DROP_NONE && !is_known_protocol(ip))
        drop = DROP_PROTOCOL;
    if (drop == DROP_NONE && is_too_big(r, p, ip))
        drop = DROP_TOO_BIG;
    if (drop == DROP_NONE && flow == FIREWALL_NO_FLOW) {
        drop = firewall_open(r->firewall, now, p, ip, redirect, &flow);
        if (drop == DROP_NONE && redirect)
            dns_asked(&r->dns, now, redirect);
    }
    if (drop == DROP_NONE)
        drop = firewall_send(r->firewall, now, flow, p, ip);
    return drop;
}

static void judge_from_qube(struct router *r, struct instant now,
                            struct packet *p, struct packet_batch *replies)
{
    if (p->qube >= ROUTER_QUBES_MAX || !r->qubes[p->qube].present) {
        p->drop = DROP_UNKNOWN_QUBE;
        drop_count(&r->drops, DROP_UNKNOWN_QUBE);
        return;
    }
    struct qube *q = &r->qubes[p->qube];
    struct ip_packet ip;
    enum drop drop = p->drop;
    if (drop == DROP_NONE) {
        drop = ip_packet_parse(p, &ip);
        if (drop == DROP_NONE) {
            drop = from_qube(r, now, p, &ip);
            if (drop != DROP_NONE)
                answers_add(&r->answers, &q->answers, now, p, &ip, drop,
                            tunnel_mtu(&r->tunnel, ip.family), replies);
        }
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

/* --- From the tunnel ------------------------------------------------------ */

static enum drop from_tunnel(struct router *r, struct instant now,
                             struct packet *p)
{
    struct ip_packet ip;
    if (!r->up)
        return DROP_TUNNEL_DOWN;
    enum drop drop = ip_packet_parse(p, &ip);
    if (drop != DROP_NONE)
        return drop;
    const struct address *own = ip.family == ADDRESS_IPV4
                                    ? &r->tunnel.ipv4.address
                                    : &r->tunnel.ipv6.address;
    if (own->family == ADDRESS_NONE ||
        memcmp(own->bytes, ip_destination(&ip), ip_address_size(&ip)) != 0)
        return DROP_MARTIAN;
    if (ip.options)
        return DROP_IP_OPTIONS;
    if (ip_is_fragment(&ip))
        drop = reassemble(r, now, TUNNEL_FRAGMENTS, p, &ip);
    if (drop != DROP_NONE)
        return drop;
    if (!is_known_protocol(&ip))
        return DROP_PROTOCOL;
    if (ip.ttl <= 1)
        return DROP_TTL;
    if (ip.source_port == DNS_PORT) {
        struct address from = address_from_bytes(ip.family, ip_source(&ip));
        dns_answered(&r->dns, &from);
    }
    drop = firewall_receive(r->firewall, now, p, &ip);
    if (drop == DROP_NO_FLOW && name_queries_receive(&r->names, now, p, &ip))
        drop = DROP_ANSWERED;
    return drop;
}

void router_from_tunnel(struct router *r, struct instant now,
                        struct packet_batch *batch)
{
    begin(r, now);
    for (size_t i = 0; i < batch->count; i++) {
        struct packet *p = &batch->packets[i];
        if (p->drop == DROP_NONE)
            p->drop = (uint8_t)from_tunnel(r, now, p);
        if (p->drop != DROP_NONE) {
            count(&r->drops, p->drop);
            continue;
        }
        r->qubes[p->qube].packets_down++;
        r->qubes[p->qube].bytes_down += packet_total(p);
    }
}

/* --- Status --------------------------------------------------------------- */

bool router_qube_status(const struct router *r, int qube,
                        struct router_qube_status *out)
{
    if (qube < 0 || qube >= ROUTER_QUBES_MAX || !r->qubes[qube].present)
        return false;
    const struct qube *q = &r->qubes[qube];
    *out = (struct router_qube_status){
        .name = q->name,
        .ipv4 = q->ipv4,
        .ipv6 = q->ipv6,
        .rules = q->rules,
        .flows = firewall_qube_flow_count(r->firewall, (uint16_t)qube),
        .packets_up = q->packets_up,
        .packets_down = q->packets_down,
        .bytes_up = q->bytes_up,
        .bytes_down = q->bytes_down,
        .drops = &q->drops,
    };
    return true;
}

const struct drop_counters *router_drops(const struct router *r)
{
    return &r->drops;
}

uint32_t router_flow_count(const struct router *r)
{
    return firewall_flow_count(r->firewall);
}
