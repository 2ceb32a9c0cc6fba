/*
 * The way of a packet between qubes and tunnel: whose it is, where it goes,
 * and who answers instead. The door to firewall and NAT for traffic.c and
 * dom0.c; in which order a packet is asked what stands in verdict.h.
 *
 *   from a qube: verdict -> translated, ready for segment and seal
 *                        -> a drop reason, and for some an answer to the qube
 *   from the tunnel: verdict -> translated, for its qube
 *                            -> a drop reason
 *
 * A packet without a verdict does not exist: what is not explicitly passed
 * has a drop reason. While the tunnel is down nothing passes.
 */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "firewall/qube.h"
#include "gateway/base/drop.h"
#include "gateway/base/instant.h"
#include "gateway/base/tunnel.h"
#include "gateway/packet/packet.h"

struct router;

enum {
    ROUTER_FLOWS_DEFAULT = 65536,
};

struct router_options {
    uint32_t flows;      /* table size, preallocated */
    uint8_t seed[32];    /* random: hash key and port choice */
    bool accept_unruled; /* no QubesDB and no rules file: a qube without rules
                            may go everywhere; else it may go nowhere */
};

/* NULL when memory is short. */
struct router *router_new(const struct router_options *options);
void router_free(struct router *r);

/* A qube with its own addresses (ipv6 may be unset); NULL when there are
 * QUBES_MAX, another has the address, or memory is short. */
struct qube *router_add_qube(struct router *r, struct instant now,
                             const char *name, const struct address *ipv4,
                             const struct address *ipv6);
/* Frees it. No packet of it may be under way (qube.h). */
void router_remove_qube(struct router *r, struct qube *qube);

/* The qube with this real address sees `visible` as its own and `gateway` as
 * ours, as its packets do; rules and everything else go by the real one. It
 * gets no IPv6, which would show it more. It sees an unset one as it is. The
 * address may be a qube's that comes later. */
void router_show_addresses(struct router *r, struct instant now,
                           const struct address *real,
                           const struct address *visible,
                           const struct address *gateway);

/* The address by which qubes know the gateway: it answers their ping, and is
 * the sender of ICMP errors. One of each family; at first it is 10.139.1.1, the
 * first virtual resolver, and fe80::fcff:ffff:feff:ffff, the link-local address
 * of the gateway's MAC address. Both are answered for afterwards too. */
void router_set_gateway_address(struct router *r,
                                const struct address *address);

/* The same for the qube with this real IPv4 address alone, which may come
 * later; it has IPv6 as before. */
void router_set_qube_gateway(struct router *r, const struct address *real,
                             const struct address *gateway);

/*
 * The rules of a source address from now on, in the text of QubesDB: what
 * stands below /qubes-firewall/<source>/ ("policy", "0000", ...). They take
 * effect as a whole; flows that they forbid end. Where one does not parse,
 * everything of that address is dropped, and log and status name it. The
 * address may be a qube's that comes later.
 */
void router_set_rules(struct router *r, struct instant now,
                      const struct address *source,
                      const struct rules_entry *entries, size_t count);
/* The address has no rules any more, but for those of a file. */
void router_forget_rules(struct router *r, struct instant now,
                         const struct address *source);
/* Why a file's rules are not taken. */
struct router_rules_problem {
    size_t line; /* from 1; 0: no line's fault */
    char text[RULES_PROBLEM_SIZE + ADDRESS_TEXT_SIZE];
};
/* Rules of many addresses from a file's text, a line
 * "/qubes-firewall/<source>/<key> <value>" each; empty lines and those that
 * begin with # are skipped. They are taken as a whole, in place of those of
 * the file before; an address that router_set_rules() has given rules keeps
 * them. False, and nothing is changed, where anything is wrong with them. */
MUST_USE bool router_load_rules(struct router *r, struct instant now,
                                struct bytes text,
                                struct router_rules_problem *problem);

/* To be called before router_tunnel_up(), until it is true: TCP connections
 * that cannot survive that change are reset, by packets to their qubes, each
 * appended to `replies` with `qube` set. False: there are more. */
MUST_USE bool router_reset_flows(struct router *r, struct instant now,
                                 const struct tunnel *t,
                                 struct packet_batch *replies);
/* The tunnel stands or changed. Flows end that cannot survive a change of its
 * address, or that it does not carry. `t` is copied. */
void router_tunnel_up(struct router *r, struct instant now,
                      const struct tunnel *t);
/* Nothing passes until router_tunnel_up(). Flows are kept for the return. */
void router_tunnel_down(struct router *r, struct instant now);

/*
 * Judges and translates each packet of a batch from qubes, in place. Those
 * left without a drop reason leave through the tunnel. Answers to the senders
 * (ICMP errors, echo replies) are appended to `replies` with `qube` set, as
 * far as there is room.
 *
 * Fragments are held (DROP_HELD) until the last of their packet comes, which
 * then stands for the whole: with `pieces`, and `fragment_size` set, because
 * it may be larger than any MTU. It is valid until the next call of this or
 * of router_from_tunnel().
 */
void router_from_qubes(struct router *r, struct instant now,
                       struct packet_batch *batch,
                       struct packet_batch *replies);

/* The same for packets from the tunnel, which coalesce has parsed: those left
 * without a drop reason go to the link of `qube`. Answers to
 * their senders, of packets that are too big for a qube, are to leave through
 * the tunnel. */
void router_from_tunnel(struct router *r, struct instant now,
                        struct packet_batch *batch,
                        struct packet_batch *replies);

/* A packet that was passed got lost after all: it is counted, as its qube's
 * where it has one. */
void router_lost(struct router *r, const struct packet *packet,
                 enum drop reason);

/* Appends the gateway's own packets that are to leave through the tunnel now:
 * questions for the host names in rules. To be called at router_deadline(). */
void router_own_packets(struct router *r, struct instant now,
                        struct packet_batch *out);

/* Housekeeping of flows and fragments. */
void router_expire(struct router *r, struct instant now);
struct instant router_deadline(const struct router *r);

/* The qube after that one, or the first; NULL behind the last. */
const struct qube *router_next_qube(const struct router *r,
                                    const struct qube *qube);
/* Drops that belong to no qube. */
const struct drop_counters *router_drops(const struct router *r);
uint32_t router_flow_count(const struct router *r);

#endif
