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

enum {
    ROUTER_NAME_SIZE = 64,
    ROUTER_TUNNEL = ROUTER_QUBES_MAX, /* as a source of fragments */
    ROUTER_NO_QUBE = UINT16_MAX,      /* of the gateway's own packets */
};

/* Shares of fragments. What a qube sends counts to its own number. */
enum {
    ROUTER_SHARE_AWAITED = ROUTER_QUBES_MAX,   /* and a qube: of its flows */
    ROUTER_SHARE_PEERS = 2 * ROUTER_QUBES_MAX, /* from where flows lead */
    ROUTER_SHARE_STRANGERS,                    /* ICMP from anywhere else */
    ROUTER_SHARES,
};

struct router_qube {
    bool present;
    char name[ROUTER_NAME_SIZE];
    struct address ipv4, ipv6;
    struct address visible;      /* which IPv4 address it sees as its own */
    struct address gateway;      /* and which as ours; unset: the true one */
    struct address true_gateway; /* which is ours; unset: that of all qubes */
    char rules[RULES_TEXT_SIZE]; /* what they are, for people */
    char wait[RULES_WAIT_SIZE];  /* which of them waits for a name, or "" */
    struct token_bucket answers;
    struct drop_counters drops;
    uint64_t packets_up, packets_down, bytes_up, bytes_down;
};

struct router {
    struct firewall *firewall;
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
    uint16_t limit; /* places of qubes at and above it were never used */
    struct router_qube qubes[ROUTER_QUBES_MAX];
};

static_assert((int)ROUTER_QUBES_MAX == (int)FIREWALL_QUBES_MAX,
              "router and firewall count qubes alike");
static_assert((int)ROUTER_SHARES == (int)FRAGMENTS_SHARES,
              "each share is counted");

static inline const struct address *
router_state_true_gateway(const struct router *r, const struct router_qube *q)
{
    return q->true_gateway.family == ADDRESS_IPV4 ? &q->true_gateway
                                                  : &r->gateway4;
}

/* As which the qube knows us. */
static inline const struct address *
router_state_gateway(const struct router *r, const struct router_qube *q,
                     unsigned family)
{
    if (family == ADDRESS_IPV6)
        return &r->gateway6;
    return q->gateway.family == ADDRESS_IPV4 ? &q->gateway
                                             : router_state_true_gateway(r, q);
}

/* Is either of the addresses that it is shown not as it is? */
static inline bool router_state_is_fooled(const struct router *r,
                                          const struct router_qube *q)
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

static inline bool router_state_has_address(const struct router_qube *q,
                                            const struct address *a)
{
    return q->present && a->family != ADDRESS_NONE &&
           (address_equal(&q->ipv4, a) || address_equal(&q->ipv6, a));
}

/* Can the tunnel's resolvers be asked? */
bool router_state_can_resolve(const struct router *r);
/* The texts about a qube's rules are made anew. */
void router_state_describe(struct router *r, struct instant now, uint16_t qube);
/* To be called after each change to names, and to what resolves them; with
 * `describe` even where no name has changed. */
void router_state_judge_names(struct router *r, struct instant now,
                              bool describe);

/* Is it an address of a qube that is there? */
bool router_state_is_qube(const struct router *r, const struct address *a);

#endif
