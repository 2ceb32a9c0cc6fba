/*
 * How far an address reaches: what stays on the qube's own link, and what no
 * router passes on.
 */
#ifndef ROUTER_SCOPE_H
#define ROUTER_SCOPE_H

#include "gateway/packet/ip_packet.h"

/* Its destination is a group of the link, or all of it: IGMP, MLD, router
 * solicitations, mDNS, DHCP, what an operating system says by itself. Nobody
 * is there to hear it. */
bool scope_is_link(const struct ip_packet *ip);

/* Its source is one that a system uses before it has an address, or for its
 * link alone. Towards a group of the link that is no attempt to speak as
 * somebody else. */
bool scope_needs_no_address(const struct ip_packet *ip);

/* RFC 1812 5.3.7, RFC 6890: never a destination beyond the first hop. */
bool scope_is_martian(const struct address *a);

#endif
