/*
 * Firewall and NAT behind one door: the flows of all qubes, which of them may
 * be, and their translation to the tunnel's addresses.
 *
 *   qube -> tunnel   firewall_send: along a flow, or as the first packet of one
 *   tunnel -> qube   firewall_receive: only what answers a known flow
 *
 * Each packet comes parsed and is looked up once. Where the answer is a drop
 * reason the packet is as it was, so that it can still be quoted to its
 * sender.
 */
#ifndef FIREWALL_FIREWALL_H
#define FIREWALL_FIREWALL_H

#include "firewall/qube.h"
#include "firewall/rules_parser.h"
#include "gateway/base/error.h"
#include "gateway/base/instant.h"
#include "gateway/base/tunnel.h"
#include "gateway/packet/packet.h"

struct firewall;

enum {
    /* New flows of one qube, so that none fills the table in a moment. */
    FIREWALL_FLOW_RATE = 2000, /* a second */
    FIREWALL_FLOW_BURST = 8000,
    /* TCP connections of one qube that do not stand yet; one more ends the
     * oldest of them. */
    FIREWALL_HALF_OPEN_MAX = 512,
};

struct firewall_options {
    uint32_t flows;      /* preallocated */
    uint8_t seed[32];    /* random */
    bool accept_unruled; /* a qube without rules may go everywhere */
};

/* NULL when memory is short. */
struct firewall *firewall_new(const struct firewall_options *options);
void firewall_free(struct firewall *f);

/* A qube, empty but for its name and addresses, which the caller frees after
 * firewall_remove_qube(). False: there is no room for more. */
MUST_USE bool firewall_add_qube(struct firewall *f, struct qube *qube);
/* The IPv4 address that the qube sees as its own, from now on; at first that
 * is its real one. Its flows end where it changes. */
void firewall_show_address(struct firewall *f, struct instant now,
                           struct qube *qube, const struct address *visible);
/* Ends its flows; nothing points at it any more. */
void firewall_remove_qube(struct firewall *f, struct instant now,
                          struct qube *qube);
const struct qube_table *firewall_qubes(const struct firewall *f);

/*
 * The rules of a source address from now on, whole or not at all; its flows
 * that they forbid end. ERROR_INVALID: they are bad, `problem` says why, and
 * everything from that address is dropped until better ones come. Other
 * errors: it has no rules. The address need not be a qube's yet.
 */
enum error firewall_set_rules(struct firewall *f, struct instant now,
                              const struct address *source,
                              const struct rules_entry *entries, size_t count,
                              char problem[RULES_PROBLEM_SIZE]);
/* It has none any more, but for those of a file. */
void firewall_forget_rules(struct firewall *f, struct instant now,
                           const struct address *source);
/* The rules of a file, each of another address, none of them bad, instead of
 * all that the file before had. An address that firewall_set_rules() has given
 * rules keeps those. Takes the sets: parsed with firewall_names(). */
void firewall_take_file(struct firewall *f, struct instant now,
                        struct rules *const *sets, size_t count);
/* The host names of all rules, for the resolver that the caller has. */
struct rule_names *firewall_names(struct firewall *f);
/* To be called after each change to them, and before packets are taken in.
 * Flows that the names' addresses forbid now end; those that may be forbidden,
 * because a name is unknown, are withheld until it is known. True where
 * anything changed. */
bool firewall_judge_names(struct firewall *f, struct instant now);
/* For a qube, see rules_describe_wait(). */
enum rule_name_state firewall_describe_wait(const struct firewall *f,
                                            struct instant now,
                                            const struct qube *qube,
                                            const char *unasked,
                                            char out[RULES_WAIT_SIZE]);

/* A UDP port of the tunnel's IPv4 address for the gateway's own use. */
struct firewall_port {
    uint16_t number;
    uint32_t mapping;
};
MUST_USE bool firewall_lend_port(struct firewall *f, struct instant now,
                                 struct firewall_port *out);
void firewall_return_port(struct firewall *f, struct instant now,
                          const struct firewall_port *port);
/* A number that nobody outside can foretell. */
uint64_t firewall_random(struct firewall *f);

/* Tells which destinations a tunnel leads to. */
struct firewall_routes {
    const void *table;
    bool (*carries)(const void *table, const struct address *destination);
};

/*
 * Ends the flows that cannot go on in that tunnel, which is about to be set,
 * because their external address is another there, or it does not lead to
 * their destination. To each qube whose TCP
 * connection ends so, a RST is appended: who only listens would wait for ever.
 * False: `out` had no room for all; once more when it has.
 */
MUST_USE bool firewall_reset_flows(struct firewall *f, struct instant now,
                                   const struct tunnel *tunnel,
                                   const struct firewall_routes *routes,
                                   struct packet_batch *out);

/* The addresses to translate to. The same flows end, and those that were
 * redirected to a resolver that is gone. */
void firewall_set_tunnel(struct firewall *f, struct instant now,
                         const struct tunnel *tunnel,
                         const struct firewall_routes *routes);

/* The way out, which the router judges: may the packet, of a `known` flow or
 * the first of a new one, leave? Only such leave whose time to live is above
 * 1. For a first one it may set `redirect`, where the flow goes instead of its
 * destination. */
struct firewall_way {
    const void *context;
    enum drop (*judge)(struct firewall_way *way, struct instant now,
                       const struct packet *packet, bool known);
    const struct address *redirect; /* NULL at first */
};

/* A packet from its qube: along its flow, or as the first of one that the way,
 * rules and quotas allow; or an ICMP error about a packet that the qube
 * received, for which the way is not asked. Translated when the answer is
 * DROP_NONE. */
MUST_USE enum drop firewall_send(struct firewall *f, struct instant now,
                                 struct packet *packet,
                                 struct firewall_way *way);

/* The qube that has a flow for that packet from the tunnel, or NULL. */
struct qube *firewall_awaited_by(const struct firewall *f,
                                 const struct ip_packet *ip);

/* May the packet from the tunnel be of a flow, by its sender alone? Yes is
 * sometimes said of one that cannot. */
bool firewall_knows_sender(const struct firewall *f,
                           const struct ip_packet *ip);

/* A packet from the tunnel, to the tunnel's address: translated, and with its
 * qube set, when the answer is DROP_NONE. DROP_TOO_BIG: a qube waits for it,
 * whose card takes no packet above `mtu`. */
MUST_USE enum drop firewall_receive(struct firewall *f, struct instant now,
                                    struct packet *packet, uint16_t mtu);

/* Ends what has come to its end. To be called before packets are taken in. */
void firewall_expire(struct firewall *f, struct instant now);
struct instant firewall_deadline(const struct firewall *f);

uint32_t firewall_flow_count(const struct firewall *f);

#endif
