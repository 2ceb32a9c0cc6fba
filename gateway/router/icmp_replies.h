/*
 * Answers a qube whose packet the gateway does not pass on: which drop is
 * answered, how, and how often.
 */
#ifndef ROUTER_ICMP_REPLIES_H
#define ROUTER_ICMP_REPLIES_H

#include "gateway/base/token_bucket.h"
#include "gateway/packet/packet.h"

enum {
    /* To one qube; a second, at once. No limit is common to all qubes: some of
     * them would use it up. */
    ICMP_REPLIES_RATE = 100,
    ICMP_REPLIES_BURST = 50,
};

/* Appends the answer to `replies` if the drop has one, it may be answered, and
 * the sender's tokens are not used up. ICMP errors are `from` that address. */
void icmp_replies_add(struct token_bucket *sender, const struct address *from,
                      struct instant now, const struct packet *packet,
                      enum drop drop, uint16_t mtu,
                      struct packet_batch *replies);

#endif
