/*
 * A qube: all that is known of one VM behind the gateway. Its link tells of
 * it, the router makes it, and every packet from or to it carries the pointer.
 *
 *   name, addresses      all read them; they stay what they are
 *   shown, texts         the router's: net.fake-ip, and what people are told
 *   rules, flows         the firewall's
 *   counters             the router's
 *   port                 delivery's: where its link takes packets for it
 *
 * It lives from router_add_qube() to router_remove_qube(). Nothing outlives
 * it that points at it:
 *
 *   packets   live as long as one call of received() or send(), in which no
 *             link takes a qube away (link.h); held fragments have none
 *   flows, external ports, fragments, quotas know it by `number`; its flows
 *             and fragments end with it, and its ports are nobody's, before
 *             another qube gets the number
 *   links     forget the pointer before they say that the qube is gone
 *   frames    that wait in a link lie there by card, and go with it
 *   queries for names are the gateway's own, and no qube's
 */
#ifndef FIREWALL_QUBE_H
#define FIREWALL_QUBE_H

#include "firewall/rules.h"
#include "gateway/base/drop.h"
#include "gateway/base/token_bucket.h"

enum { QUBES_MAX = 256, QUBE_NAME_SIZE = 64 };

/* The orders in which a qube's flows are known, oldest first. */
enum qube_flow_order {
    QUBE_FLOWS,
    QUBE_FLOWS_HALF_OPEN, /* TCP that does not stand yet */
    QUBE_FLOW_ORDERS
};

/* Heads of such an order, in the table of flows. */
struct qube_flows {
    uint32_t first, last, count;
};

struct qube {
    char name[QUBE_NAME_SIZE]; /* for people: "vif7.0" */
    uint16_t number;           /* below QUBES_MAX, and its own while it lives */
    struct address ipv4, ipv6; /* the second may be unset */

    struct address visible;      /* which IPv4 address it sees as its own */
    struct address gateway;      /* and which as ours; unset: the true one */
    struct address true_gateway; /* which is ours; unset: that of all qubes */

    const struct rules *rules4, *rules6; /* or NULL */
    char rules_text[RULES_TEXT_SIZE];    /* what they are, for people */
    char wait_text[RULES_WAIT_SIZE]; /* which of them waits for a name, or "" */
    struct qube_flows flows[QUBE_FLOW_ORDERS];
    struct token_bucket new_flows;

    struct token_bucket answers; /* ICMP to it */
    struct drop_counters drops;
    uint64_t packets_up, packets_down, bytes_up, bytes_down;

    void *port;
};

/* All qubes that are there, by number; those at and above `limit` never
 * were. */
struct qube_table {
    struct qube *qubes[QUBES_MAX];
    uint16_t limit;
};

/* Gives it the lowest number that is free. False: there is none. */
MUST_USE bool qube_enter(struct qube_table *t, struct qube *q);
void qube_leave(struct qube_table *t, struct qube *q);

/* The one after `q`, or the first; NULL behind the last. */
struct qube *qube_next(const struct qube_table *t, const struct qube *q);

/* Finds the qube with this address, of either family; NULL: nobody's. */
struct qube *qube_find(const struct qube_table *t, const struct address *a);

#endif
