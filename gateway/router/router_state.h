/* The insides of a router, for the files that make it up. */
#ifndef ROUTER_ROUTER_STATE_H
#define ROUTER_ROUTER_STATE_H

#include <assert.h>

#include "firewall/firewall.h"
#include "gateway/packet/fragments.h"
#include "gateway/router/dns.h"
#include "gateway/router/icmp_replies.h"
#include "gateway/router/name_queries.h"
#include "gateway/router/route_table.h"
#include "gateway/router/router.h"
#include "gateway/router/shown_address.h"

enum { ROUTER_TUNNEL = QUBES_MAX }; /* as a source of fragments */

/* Shares of fragments. A qube's packets count to its own number. */
enum {
    ROUTER_SHARE_AWAITED = QUBES_MAX,   /* and a qube: of its flows */
    ROUTER_SHARE_PEERS = 2 * QUBES_MAX, /* from where flows lead */
    ROUTER_SHARE_STRANGERS,             /* ICMP from anywhere else */
    ROUTER_SHARES,
};

struct router {
    struct firewall *firewall;
    const struct qube_table *qubes; /* the firewall's */
    struct fragments *fragments;
    bool accept_unruled;
    bool up;
    struct instant now;   /* of the last call that told it */
    struct tunnel tunnel; /* as last told, without what it blocks */
    struct route_table routes;
    struct dns dns;
    struct name_queries names;
    struct shown_address mapped;
    struct shown_address gateways;       /* true ones, not that of all qubes */
    struct address gateway4, gateway6;   /* as qubes know us */
    struct token_bucket outside_answers; /* to who sends through the tunnel */
    struct address link_local;           /* of fe:ff:ff:ff:ff:ff */
    struct drop_counters drops;
};

static inline const struct address *
router_state_true_gateway(const struct router *r, const struct qube *q)
{
    return q->true_gateway.family == ADDRESS_IPV4 ? &q->true_gateway
                                                  : &r->gateway4;
}

/* As which the qube knows us. */
static inline const struct address *router_state_gateway(const struct router *r,
                                                         const struct qube *q,
                                                         unsigned family)
{
    if (family == ADDRESS_IPV6)
        return &r->gateway6;
    return q->gateway.family == ADDRESS_IPV4 ? &q->gateway
                                             : router_state_true_gateway(r, q);
}

/* Is either of the addresses that it is shown not as it is? */
static inline bool router_state_is_fooled(const struct router *r,
                                          const struct qube *q)
{
    return !address_equal(&q->visible, &q->ipv4) ||
           !address_equal(router_state_gateway(r, q, ADDRESS_IPV4),
                          router_state_true_gateway(r, q));
}

/* Our own in the tunnel. */
static inline const struct address *router_state_own(const struct router *r,
                                                     unsigned family)
{
    return family == ADDRESS_IPV4 ? &r->tunnel.ipv4.address
                                  : &r->tunnel.ipv6.address;
}

/* Can the tunnel's resolvers be asked? */
bool router_state_can_resolve(const struct router *r);
/* The texts about a qube's rules are made anew. */
void router_state_describe(struct router *r, struct instant now,
                           struct qube *q);
/* To be called after each change to names, and to what resolves them; with
 * `describe` even where no name has changed. */
void router_state_judge_names(struct router *r, struct instant now,
                              bool describe);

#endif
