#include "gateway/router/verdict.h"

#include "gateway/packet/icmp.h"
#include "gateway/packet/ip_options.h"
#include "gateway/packet/ip_packet.h"

/* --- How far an address reaches ------------------------------------------ */

/* Its destination is a group of the link, or all of it: IGMP, MLD, router
 * solicitations, mDNS, DHCP, what an operating system says by itself. Nobody
 * is there to hear it. */
static bool is_for_link(const struct ip_packet *ip)
{
    const uint8_t *to = ip_destination(ip);
    if (ip->family == ADDRESS_IPV4)
        return load_u32(to) == UINT32_MAX || load_u32(to) >> 8 == 0xe00000;
    return to[0] == 0xff && ((to[1] & 0xf) == 1 || (to[1] & 0xf) == 2);
}

/* Its source is one that a system uses before it has an address, or for its
 * link alone. Towards a group of the link that is no attempt to speak as
 * somebody else. */
static bool needs_no_address(const struct ip_packet *ip)
{
    static const uint8_t unspecified[16];
    const uint8_t *from = ip_source(ip);
    if (memcmp(from, unspecified, ip_address_size(ip)) == 0)
        return true;
    if (ip->family == ADDRESS_IPV4)
        return load_u16(from) == 0xa9fe; /* 169.254/16 */
    return (load_u16(from) & 0xffc0) == 0xfe80;
}

/* RFC 1812 5.3.7, RFC 6890: never a destination beyond the first hop. */
static bool is_martian(const struct address *a)
{
    const uint8_t *b = a->bytes;
    if (a->family == ADDRESS_IPV4)
        return b[0] == 0 || b[0] == 127 || b[0] >= 224 ||
               (b[0] == 169 && b[1] == 254);
    static const uint8_t zeroes[15], mapped[12] = {[10] = 0xff, 0xff};
    return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
           memcmp(b, mapped, sizeof mapped) == 0 ||
           (memcmp(b, zeroes, sizeof zeroes) == 0 && b[15] <= 1);
}

/* --- Fragments ----------------------------------------------------------- */

/* Collects fragments; DROP_NONE when the packet is whole. */
static enum drop reassemble(struct router *r, struct instant now,
                            const struct fragments_owner *owner,
                            struct packet *p)
{
    switch (fragments_take(r->fragments, now, owner, p)) {
    case FRAGMENTS_HELD:
        return DROP_HELD;
    case FRAGMENTS_REFUSED:
        return DROP_FRAGMENT;
    case FRAGMENTS_WHOLE:
        break;
    }
    return ip_packet_parse(p);
}

/* --- From qubes ---------------------------------------------------------- */

static bool is_own_source(const struct qube *q, const struct ip_packet *ip)
{
    const struct address *own =
        ip->family == ADDRESS_IPV4 ? &q->visible : &q->ipv6;
    return own->family != ADDRESS_NONE &&
           memcmp(own->bytes, ip_source(ip), ip_address_size(ip)) == 0;
}

static bool is_gateway(const struct router *r, const struct qube *q,
                       const struct address *a)
{
    return address_equal(a, router_state_gateway(r, q, a->family)) ||
           address_equal(a, &r->link_local) || dns_is_virtual(&r->dns, a);
}

/* A qube that is shown other addresses cannot find out where it is: its own
 * real address looks like a neighbour's. */
static bool is_hidden(const struct router *r, const struct qube *q,
                      const struct address *a)
{
    return router_state_is_fooled(r, q) &&
           (address_equal(a, router_state_true_gateway(r, q)) ||
            address_equal(a, &q->ipv4));
}

static bool is_tunnel_end(const struct router *r, const struct address *a)
{
    return address_equal(a, router_state_own(r, a->family));
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
               ip->destination_port == TUNNEL_DNS_PORT;
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
static enum drop judge_destination(const struct router *r, const struct qube *q,
                                   struct instant now,
                                   const struct ip_packet *ip,
                                   const struct address **redirect)
{
    struct address to = address_from_bytes(ip->family, ip_destination(ip));
    if (is_gateway(r, q, &to))
        return to_gateway(r, now, ip, &to, redirect);
    if (is_martian(&to))
        return DROP_MARTIAN;
    if (qube_find(r->qubes, &to) || address_equal(&to, &q->visible) ||
        is_hidden(r, q, &to))
        return DROP_QUBE_TO_QUBE;
    if (!r->up)
        return DROP_TUNNEL_DOWN;
    if (is_tunnel_end(r, &to) && icmp_is_echo_request(ip))
        return DROP_ANSWERED;
    return route(r, &to);
}

/* IPv4 without DF may be cut to the tunnel's MTU: a plain packet or a UDP
 * super-packet's segments into fragments, a TCP super-packet into smaller
 * segments. A packet that came in fragments leaves so. A packet with options is
 * not cut. */
static bool is_too_big(const struct router *r, const struct packet *p)
{
    uint32_t size =
        p->fragment_size > 0 ? p->fragment_size : packet_largest_segment(p);
    return (p->ip.dont_fragment || p->ip.options) &&
           size > tunnel_mtu(&r->tunnel, p->ip.family);
}

/* Those without ports are told apart by their ends alone; only such pass whose
 * checksums do not cover the addresses. */
static bool is_known_protocol(const struct ip_packet *ip)
{
    return ip->protocol == IP_TCP || ip->protocol == IP_UDP || icmp_is(ip) ||
           ip->protocol == IP_GRE || ip->protocol == IP_ESP ||
           ip->protocol == IP_SCTP;
}

/* Fragments are put together without them. */
static bool may_have_options(const struct ip_packet *ip)
{
    return !ip->options || (!ip_is_fragment(ip) && ip_options_are_harmless(ip));
}

/* A port that nothing listens on, and that no answer can be sent to. */
static bool has_port_zero(const struct ip_packet *ip)
{
    return (ip->protocol == IP_TCP || ip->protocol == IP_UDP) &&
           (ip->source_port == 0 || ip->destination_port == 0);
}

/* Judges what a fragment has as well: its sender, and options. */
static enum drop judge_header(const struct router *r, const struct qube *q,
                              const struct ip_packet *ip)
{
    bool own = is_own_source(q, ip);
    if (is_for_link(ip) && (own || needs_no_address(ip)))
        return DROP_LINK_LOCAL;
    if (!own)
        return DROP_SPOOFED;
    if (ip->family == ADDRESS_IPV6 && router_state_is_fooled(r, q))
        return DROP_NO_IPV6;
    return may_have_options(ip) ? DROP_NONE : DROP_IP_OPTIONS;
}

/* The way out of a packet, for the firewall. */
static enum drop judge_way(struct firewall_way *way, struct instant now,
                           const struct packet *p, bool known)
{
    const struct router *r = way->context;
    enum drop drop = DROP_NONE;
    if (!known)
        drop = judge_destination(r, p->qube, now, &p->ip, &way->redirect);
    if (drop == DROP_NONE && p->ip.ttl <= 1)
        drop = DROP_TTL;
    if (drop == DROP_NONE && !is_known_protocol(&p->ip))
        drop = DROP_PROTOCOL;
    if (drop == DROP_NONE && is_too_big(r, p))
        drop = DROP_TOO_BIG;
    return drop;
}

/* An error goes the way of the packet that it is about. */
static enum drop judge_message(const struct router *r,
                               const struct ip_packet *ip)
{
    if (icmp_is_error(ip))
        return !r->up ? DROP_TUNNEL_DOWN : ip->ttl > 1 ? DROP_NONE : DROP_TTL;
    if (icmp_is(ip) && !icmp_is_request(ip))
        return DROP_ICMP_TYPE;
    return has_port_zero(ip) ? DROP_PORT_ZERO : DROP_NONE;
}

enum drop verdict_from_qube(struct router *r, struct instant now,
                            struct packet *p)
{
    struct firewall_way way = {.context = r, .judge = judge_way};
    const struct fragments_owner owner = {p->qube->number, p->qube->number};
    enum drop drop = judge_header(r, p->qube, &p->ip);
    if (drop == DROP_NONE && ip_is_fragment(&p->ip))
        drop = reassemble(r, now, &owner, p);
    if (drop == DROP_NONE)
        drop = judge_message(r, &p->ip);
    if (drop != DROP_NONE)
        return drop;
    if (!r->up)
        return judge_way(&way, now, p, false);
    drop = firewall_send(r->firewall, now, p, &way);
    if (drop == DROP_NONE && way.redirect)
        dns_asked(&r->dns, now, way.redirect);
    return drop;
}

/* --- From the tunnel ----------------------------------------------------- */

/* Only the first fragment tells what for, and one that nobody waits for is not
 * held. A later one that comes before it counts for its sender: nothing but an
 * error is wanted from where no flow leads. */
static enum drop find_share(const struct router *r, const struct ip_packet *ip,
                            uint16_t *share)
{
    bool first = ip->fragment_offset == 0;
    const struct qube *qube = firewall_awaited_by(r->firewall, ip);
    *share = ROUTER_SHARE_PEERS;
    if (qube) {
        *share = (uint16_t)(ROUTER_SHARE_AWAITED + qube->number);
        return DROP_NONE;
    }
    if (name_queries_await(&r->names, ip))
        return DROP_NONE;
    if (first && !icmp_is_error(ip))
        return DROP_NO_FLOW;
    if (firewall_knows_sender(r->firewall, ip))
        return DROP_NONE;
    *share = ROUTER_SHARE_STRANGERS;
    return icmp_is(ip) ? DROP_NONE : DROP_NO_FLOW;
}

static enum drop reassemble_inbound(struct router *r, struct instant now,
                                    struct packet *p)
{
    struct fragments_owner owner = {.source = ROUTER_TUNNEL};
    enum drop drop = find_share(r, &p->ip, &owner.share);
    return drop == DROP_NONE ? reassemble(r, now, &owner, p) : drop;
}

/* An error about a flow may come from any router on the way, but from nobody on
 * this side. */
static bool is_ours(const struct router *r, const struct ip_packet *ip)
{
    struct address from = address_from_bytes(ip->family, ip_source(ip));
    return is_tunnel_end(r, &from) || qube_find(r->qubes, &from) ||
           address_equal(&from, &r->gateway4) ||
           address_equal(&from, &r->gateway6) ||
           address_equal(&from, &r->link_local) ||
           dns_is_virtual(&r->dns, &from);
}

enum drop verdict_from_tunnel(struct router *r, struct instant now,
                              struct packet *p)
{
    const struct ip_packet *ip = &p->ip;
    enum drop drop = DROP_NONE;
    if (!r->up)
        return DROP_TUNNEL_DOWN;
    const struct address *own = router_state_own(r, ip->family);
    if (own->family == ADDRESS_NONE ||
        memcmp(own->bytes, ip_destination(ip), ip_address_size(ip)) != 0)
        return DROP_MARTIAN;
    if (!may_have_options(ip))
        return DROP_IP_OPTIONS;
    if (ip_is_fragment(ip))
        drop = reassemble_inbound(r, now, p);
    if (drop != DROP_NONE)
        return drop;
    if (!is_known_protocol(ip))
        return DROP_PROTOCOL;
    if (icmp_is_error(ip) && is_ours(r, ip))
        return DROP_MARTIAN;
    if (ip->ttl <= 1)
        return DROP_TTL;
    if (ip->source_port == TUNNEL_DNS_PORT) {
        struct address from = address_from_bytes(ip->family, ip_source(ip));
        dns_answered(&r->dns, &from);
    }
    drop = firewall_receive(r->firewall, now, p, PACKET_QUBE_MTU);
    if (drop == DROP_NO_FLOW && name_queries_receive(&r->names, now, p))
        drop = DROP_ANSWERED;
    return drop;
}
