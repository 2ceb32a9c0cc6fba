/*
 * Neighbour discovery (RFC 4861), the part that arp.h is for IPv6: a qube's
 * solicitation for any address but its own gets the gateway's MAC,
 * link-local targets included. Duplicate address detection is left
 * unanswered, for what a qube asks there is whether an address is its own.
 * No router advertisements: a qube's addresses and routes are configured.
 */
#ifndef LINK_NDP_H
#define LINK_NDP_H

#include "gateway/base/address.h"
#include "gateway/link/ethernet.h"

enum {
    NDP_ROUTER_SOLICITATION = 133,
    NDP_NEIGHBOUR_SOLICITATION = 135,
    NDP_NEIGHBOUR_ADVERTISEMENT = 136,
    NDP_REDIRECT = 137,
    NDP_FRAME_SIZE = ETHERNET_HEADER_SIZE + 40 + 24 + 8,
};

struct ndp_solicitation {
    struct address source;
    struct address target;
};

/* An IPv6 packet with one of the five messages of neighbour discovery, good
 * or bad. They concern the link alone and are never forwarded. */
bool ndp_is(struct bytes packet);

/* The IPv6 packet is a valid solicitation (RFC 4861 section 7.1.1). */
MUST_USE bool ndp_parse(struct bytes packet, struct ndp_solicitation *out);

/* The frame to `mac` that answers the qube whose own address is `own`; false:
 * nothing to say. */
MUST_USE bool ndp_answer(const struct ndp_solicitation *solicitation,
                         const uint8_t mac[6], const struct address *own,
                         uint8_t frame[NDP_FRAME_SIZE]);

#endif
