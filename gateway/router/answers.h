/*
 * What the gateway tells a qube whose packet it does not pass on: which drop
 * is answered, how, and how often.
 */
#ifndef ROUTER_ANSWERS_H
#define ROUTER_ANSWERS_H

#include "firewall/ip_packet.h"
#include "gateway/base/token_bucket.h"

enum {
    /* To one qube and to all; a second, at once. */
    ANSWERS_RATE = 100,
    ANSWERS_BURST = 50,
    ANSWERS_RATE_ALL = 1000,
    ANSWERS_BURST_ALL = 500,
};

struct answers {
    struct token_bucket all;
};

/* Appends the answer to `replies` if the drop has one, it may be answered, and
 * neither the sender's tokens nor everybody's are used up. ICMP errors are
 * `from` that address. */
void answers_add(struct answers *a, struct token_bucket *sender,
                 const struct address *from, struct instant now,
                 const struct packet *packet, const struct ip_packet *ip,
                 enum drop drop, uint16_t mtu, struct packet_batch *replies);

#endif
