/*
 * Packets on their last step, to the links of their qubes. Packets that a link
 * does not take are cut here:
 *
 *   larger than a network card's MTU -> fragments
 *   what came in fragments -> fragments no larger than they were
 *   super-packet, or checksum to be filled, to a qube that said it takes no
 *     such -> plain packets
 */
#ifndef GATEWAY_DELIVERY_H
#define GATEWAY_DELIVERY_H

#include "firewall/qube.h"
#include "gateway/link/link.h"
#include "gateway/packet/burst.h"
#include "gateway/router/router.h"

struct delivery {
    struct burst cut;
    struct packet_batch pieces; /* views into it */
};

/* False when memory is short. */
MUST_USE bool delivery_init(struct delivery *d);
void delivery_clear(struct delivery *d);

/* Packets for the qube go there, as long as it lives. */
void delivery_connect(struct qube *qube, struct link_port *port);

/* Sends those of the batch that were not dropped, each qube's in their order;
 * one that cannot be cut as it has to be is dropped, and the router counts
 * it. */
void delivery_send(struct delivery *d, struct instant now,
                   struct router *router, struct packet_batch *batch);

#endif
