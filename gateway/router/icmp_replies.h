/*
 * What the gateway tells a qube whose packet it does not pass on: which drop
 * is answered, how, and how often.
 */
#ifndef ROUTER_ICMP_REPLIES_H
#define ROUTER_ICMP_REPLIES_H

#include "gateway/base/token_bucket.h"
#include "gateway/packet/ip_packet.h"

enum {
    /* To one qube and to all; a second, at once. */
    ICMP_REPLIES_RATE = 100,
    ICMP_REPLIES_BURST = 50,
    ICMP_REPLIES_RATE_ALL = 1000,
    ICMP_REPLIES_BURST_ALL = 500,
};

struct icmp_replies {
    struct token_bucket all;
};

/* Appends the answer to `replies` if the drop has one, it may be answered, and
 * neither the sender's tokens nor everybody's are used up. ICMP errors are
 * `from` that address. */
void icmp_replies_add(struct icmp_replies *a, struct token_bucket *sender,
                      const struct address *from, struct instant now,
                      const struct packet *packet, const struct ip_packet *ip,
                      enum drop drop, uint16_t mtu,
                      struct packet_batch *replies);

#endif
