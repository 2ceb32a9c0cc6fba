/*
 * The domain's only network card and its way to the internet, as dom0 wants
 * it: one address, a route to the gateway and through it to everything, the
 * gateway's fixed MAC address (as Qubes' setup-ip has it), and resolv.conf.
 *
 * The program reads in QubesDB what dom0 wants, and tells us with a
 * line "ADDRESS GATEWAY [RESOLVER [RESOLVER]]", each an IPv4 address. The
 * program is not trusted: another address on this card is all it can get.
 */
#ifndef NANO_WAY_OUT_H
#define NANO_WAY_OUT_H

#include "gateway/base/address.h"

enum { WAY_OUT_RESOLVERS_MAX = 2 };

struct way_out {
    struct address address, gateway;
    struct address resolvers[WAY_OUT_RESOLVERS_MAX];
    size_t resolver_count;
};

MUST_USE bool way_out_parse(struct bytes line, struct way_out *out);

#define WAY_OUT_CARD "eth0"

/* The card as the kernel knows it now; 0: there is none. */
unsigned way_out_card(void);

/* Gives the card what is wanted; false, with a line in the log. */
MUST_USE bool way_out_set(const struct way_out *w);

#endif
