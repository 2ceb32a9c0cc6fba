/*
 * External ports: which port of the tunnel's address stands for which port
 * of a qube. Endpoint-independent (RFC 4787 REQ-1, RFC 5382 REQ-1): all flows
 * from one port of a qube share one external port. Identifiers of ICMP echo
 * are treated as ports (RFC 5508 REQ-1).
 *
 * A port whose last flow has ended rests for two minutes: its qube gets it
 * back, nobody else does (RFC 6888 REQ-8), so that late answers do not reach
 * a stranger. It counts for no qube meanwhile; where ports are short, the one
 * that has rested longest is given away.
 *
 * Of each space a qube has its quota; some ports are the gateway's own.
 */
#ifndef FIREWALL_MAPPING_H
#define FIREWALL_MAPPING_H

#include "firewall/flow.h"
#include "firewall/quota.h"
#include "gateway/base/siphash.h"

enum {
    MAPPING_SPACES = 6, /* {TCP, UDP, ICMP} by {IPv4, IPv6} */
    MAPPING_PORTS = 65536,
    MAPPING_REST = 120,          /* seconds */
    MAPPING_OWN = 64,            /* of each space, for the gateway itself */
    MAPPING_GATEWAY = QUBES_MAX, /* its `qube` */
};

#define MAPPING_NONE UINT32_MAX

struct mapping {
    uint16_t qube; /* or MAPPING_GATEWAY; FLOW_TUNNEL_SIDE: nobody's */
    uint16_t internal_port;
    uint16_t external_port;
    uint8_t space;
    bool shared;    /* found by (qube, port, space) */
    uint32_t flows; /* 0: it rests */
    uint32_t next;  /* in the hash chain, or in the free list */
    uint32_t rest_next, rest_previous;
    uint32_t rest_until;
};

struct mapping_rest {
    uint32_t first, last; /* the one that ends first is the first */
};

struct mapping_table {
    struct mapping *mappings;
    uint32_t *heads;
    uint32_t head_mask;
    uint32_t capacity;
    uint32_t free;  /* chained by next */
    uint32_t fresh; /* from here on they were never used, nor touched */
    struct siphash_key key;
    struct siphash_key random_key;
    uint64_t random_counter;
    struct mapping_rest resting[MAPPING_SPACES];
    struct quota quotas[MAPPING_SPACES]; /* of those that do not rest */
    uint32_t own;                        /* the gateway's, of all spaces */
    uint32_t used_count[MAPPING_SPACES]; /* with those that rest */
    uint64_t used[MAPPING_SPACES][MAPPING_PORTS / 64];
};

/* Room for so many of the qubes, and the gateway's own. `seed` is 32 random
 * bytes. */
MUST_USE bool mapping_table_init(struct mapping_table *t, uint32_t capacity,
                                 const uint8_t *seed);
void mapping_table_clear(struct mapping_table *t);

void mapping_join(struct mapping_table *t, uint16_t qube);
/* The qube is gone, and has no flow: its resting ports are nobody's. */
void mapping_leave(struct mapping_table *t, uint16_t qube);

/* Does the protocol have ports that are mapped at all? */
bool mapping_applies(uint8_t protocol);
/* The space that its ports are in. */
uint8_t mapping_space(uint8_t protocol, uint8_t family);

/*
 * The mapping of a qube's port, made if there is none, and counted as used
 * by one more flow. Not `shared`: always a new one, for the flow whose place
 * on the shared port is taken. The port is kept if it is free, else drawn
 * at random from its class (below 1024 or not; from the other class where the
 * small ones are used up). MAPPING_NONE when the qube's quota has no port left.
 */
uint32_t mapping_acquire(struct mapping_table *t, const struct flow_key *qube,
                         uint32_t now, bool shared);
/* One flow less. */
void mapping_release(struct mapping_table *t, uint32_t mapping, uint32_t now);

/* Ends the rest of those whose time has come. */
void mapping_expire(struct mapping_table *t, uint32_t now);

/* A number that nobody outside can foretell. */
uint64_t mapping_random(struct mapping_table *t);

#endif
