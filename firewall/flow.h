/*
 * The table of flows: what may pass, and how it is translated. One memory
 * block at start, nothing is allocated later.
 *
 * A flow is known by two keys: as its qube sees it (its own port, the address
 * it asked for) and as the tunnel sees it (the external port, the address
 * that really answers). Both lie in one hash table of chains, under SipHash
 * with a secret key, because whoever is behind either side chooses them.
 *
 * Expiry is a wheel of one-second slots. A packet only moves the flow's
 * deadline; when its slot comes round, the flow ends or moves on to the slot
 * of its new deadline.
 */
#ifndef FIREWALL_FLOW_H
#define FIREWALL_FLOW_H

#include "firewall/conntrack.h"
#include "firewall/qube.h"
#include "gateway/base/instant.h"
#include "gateway/base/siphash.h"
#include "gateway/packet/ip_header.h"

enum {
    FLOW_WHEEL_SLOTS = 512,        /* seconds; later deadlines go round again */
    FLOW_TUNNEL_SIDE = UINT16_MAX, /* as `qube` of a key */
    FLOW_PEER_COUNTERS = 8192,     /* of which some peers share one */
};

#define FLOW_NONE UINT32_MAX

struct flow_key {
    uint8_t remote[16];   /* IPv4: the rest is zero */
    uint16_t remote_port; /* of ICMP the type of the request */
    uint16_t local_port;  /* the qube's, or the external one */
    uint16_t qube;        /* its number, or FLOW_TUNNEL_SIDE */
    uint8_t protocol;
    uint8_t family;
};

/* Its neighbours in one of its qube's orders. */
struct flow_place {
    uint32_t next, previous;
};

struct flow {
    struct flow_key key[2]; /* by enum flow_side */
    uint32_t next[2];       /* in the hash chain: flow * 2 + side */
    uint32_t wheel_next, wheel_previous;
    struct flow_place in[QUBE_FLOW_ORDERS];
    uint32_t deadline; /* second */
    uint32_t mapping;  /* of its external port, or NONE */
    uint16_t wheel_slot;
    bool half_open : 1;        /* it is in that order */
    bool withheld : 1;         /* until a rule's host name is known */
    unsigned accepted_by : 14; /* the place of a rule, or RULES_NO_RULE */
    struct conntrack track;
};

struct flow_table {
    struct flow *flows;
    uint32_t *heads;
    uint32_t head_mask;
    uint32_t capacity;
    uint32_t count;
    uint32_t free;  /* chained by next[0] */
    uint32_t fresh; /* from here on they were never used, nor touched */
    uint32_t second;
    uint32_t next_second; /* no slot of the wheel before it is in use */
    struct siphash_key key;
    uint32_t wheel[FLOW_WHEEL_SLOTS];
    uint32_t peers[FLOW_PEER_COUNTERS]; /* flows to them, in the tunnel */
};

MUST_USE bool flow_table_init(struct flow_table *t, uint32_t capacity,
                              const struct siphash_key *key);
void flow_table_clear(struct flow_table *t);

/* FLOW_NONE if there is none. */
uint32_t flow_find(const struct flow_table *t, const struct flow_key *key);

/* Does any flow lead to that address of the tunnel's side? Yes is sometimes
 * said of one that none leads to. */
bool flow_knows_peer(const struct flow_table *t, uint8_t family,
                     const uint8_t *address);

/* Enters a flow of the qube under both keys, which must be free; it ends after
 * `timeout` seconds. FLOW_NONE when the table is full. */
uint32_t flow_insert(struct flow_table *t, struct qube *qube,
                     const struct flow_key *qube_side,
                     const struct flow_key *tunnel_side, uint32_t now,
                     uint32_t timeout);
void flow_remove(struct flow_table *t, struct qube *qube, uint32_t flow);

/* Lets it live `timeout` seconds from now. */
void flow_touch(struct flow_table *t, uint32_t flow, uint32_t now,
                uint32_t timeout);

/* Its track has changed. */
void flow_tracked(struct flow_table *t, struct qube *qube, uint32_t flow);

/* A flow whose time has come, or FLOW_NONE: to be called until then, and the
 * caller removes what it returns. */
uint32_t flow_expired(struct flow_table *t, uint32_t now);

/* When flow_expired() may have something, or INSTANT_NEVER. */
struct instant flow_deadline(const struct flow_table *t);

/* One of the oldest of a qube's flows that suit, or NONE. Those that do not
 * suit are not asked again soon. */
uint32_t flow_oldest(struct flow_table *t, struct qube *qube,
                     bool (*suits)(const void *context,
                                   const struct flow *flow),
                     const void *context);

/* The key of a packet's flow. `reversed`: it goes towards the qube. */
struct flow_key flow_key_of(const struct ip_packet *ip, uint16_t qube,
                            bool reversed);

#endif
