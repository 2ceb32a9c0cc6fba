/*
 * Tells what an Ethernet frame from a qube is: an IP packet for the link's
 * owner, a question about addresses that the link answers itself, or nothing.
 * Shared by the links that carry Ethernet.
 */
#ifndef LINK_FRAME_H
#define LINK_FRAME_H

#include "gateway/base/drop.h"
#include "gateway/link/arp.h"
#include "gateway/link/ndp.h"

enum frame_kind {
    FRAME_PACKET,
    FRAME_QUESTION, /* `answer` is to be sent back */
    FRAME_SILENCE,  /* nothing to say, and nobody's fault */
    FRAME_DROPPED,
};

struct frame {
    struct ethernet_header ethernet;
    struct bytes packet; /* behind the Ethernet header, borrowed */
    enum drop drop;
    size_t answer_size;
    uint8_t answer[NDP_FRAME_SIZE];
};

/* `ipv4`, `ipv6`: the qube's own addresses; without an IPv6 address it has no
 * neighbour discovery here. A packet has the version that its EtherType says,
 * and at most PACKET_SIZE_MAX bytes. */
enum frame_kind frame_take(struct bytes bytes, const struct address *ipv4,
                           const struct address *ipv6, struct frame *out);

#endif
