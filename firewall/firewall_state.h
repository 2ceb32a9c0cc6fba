/* The insides of a firewall, for the files that make it up. */
#ifndef FIREWALL_FIREWALL_STATE_H
#define FIREWALL_FIREWALL_STATE_H

#include <assert.h>

#include "firewall/firewall.h"
#include "firewall/flow.h"
#include "firewall/mapping.h"
#include "firewall/quota.h"
#include "gateway/base/token_bucket.h"

/* Counters of IPv4 identification, by destination. */
enum { FIREWALL_ID_COUNTERS = 1024 };

/* In a protocol without ports: which qube had a host, so that nobody else gets
 * what is still sent to it. As many as ended last. */
enum { FIREWALL_HOSTS = 64 };

struct firewall_host {
    struct flow_key tunnel;
    uint16_t qube; /* FLOW_TUNNEL_SIDE: it is gone */
    uint32_t until;
};

struct firewall {
    struct flow_table flows;
    struct mapping_table mappings;
    struct address ipv4, ipv6; /* external, or family NONE */
    uint16_t mtu;              /* of IPv4 packets in the tunnel */
    uint16_t mss_size;         /* packets that TCP segments must fit */
    bool accept_unruled;
    struct quota quota; /* of flows */
    struct firewall_host hosts[FIREWALL_HOSTS];
    uint32_t hosts_ended;
    uint16_t ids[FIREWALL_ID_COUNTERS];
    size_t resolver_count;
    struct address resolvers[TUNNEL_RESOLVERS_MAX];
    struct rule_names names;
    size_t rules_count;
    struct rules *rules[RULES_SOURCES_MAX]; /* each of another address */
    struct qube_table qubes;
};

static_assert((int)RULES_MAX < (int)RULES_NO_RULE, "a flow can name its rule");

/* The unit of the flows' times. */
static inline uint32_t firewall_state_second(struct instant now)
{
    return (uint32_t)instant_to_seconds(now);
}

static inline struct qube *firewall_state_qube(const struct firewall *f,
                                               const struct flow *flow)
{
    return f->qubes.qubes[flow->key[FLOW_SIDE_QUBE].qube];
}

/* By which a qube's flow is known at each of its ends. */
static inline const struct address *
firewall_state_external(const struct firewall *f, uint8_t family)
{
    return family == ADDRESS_IPV4 ? &f->ipv4 : &f->ipv6;
}

static inline const struct address *
firewall_state_internal(const struct firewall *f, const struct flow *flow)
{
    const struct qube *q = firewall_state_qube(f, flow);
    return flow->key[0].family == ADDRESS_IPV4 ? &q->visible : &q->ipv6;
}

/* NULL where the address has none. */
const struct rules *firewall_state_rules(const struct firewall *f,
                                         const struct address *source);
void firewall_state_clear_rules(struct firewall *f);

bool firewall_state_is_resolver(const struct firewall *f, uint8_t family,
                                const uint8_t *bytes);

/* By the keys that a flow has, or would have. */
struct rules_verdict firewall_state_judge(const struct firewall *f,
                                          struct instant now,
                                          const struct flow_key *qube,
                                          const struct flow_key *tunnel,
                                          uint16_t accepted_by);
/* Names or resolvers are others now, the rules are the same. */
void firewall_state_judge_all(struct firewall *f, struct instant now);

void firewall_state_end_flow(struct firewall *f, uint32_t second,
                             uint32_t index);

/* Makes room for one more flow of the qube, if it may have one. */
MUST_USE enum drop firewall_state_make_room(struct firewall *f, uint32_t second,
                                            struct qube *qube);

/* Makes room for one more connection of the qube that does not stand yet. */
void firewall_state_limit_half_open(struct firewall *f, uint32_t second,
                                    const struct qube *qube);

/* Gives a flow without ports, which is not in the table yet, its host, if no
 * other qube has it. */
MUST_USE enum drop firewall_state_claim_host(struct firewall *f,
                                             uint32_t second,
                                             const struct flow_key *qube,
                                             const struct flow_key *tunnel,
                                             struct conntrack *track);
/* A flow without ports ends. */
void firewall_state_leave_host(struct firewall *f, const struct flow *flow);

/* Finds the external port of a flow that is not in the table yet: *mapping,
 * and the local port of *tunnel. */
MUST_USE enum drop firewall_state_map(struct firewall *f, uint32_t second,
                                      const struct flow_key *qube,
                                      struct flow_key *tunnel,
                                      uint32_t *mapping);

#endif
