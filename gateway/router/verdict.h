/*
 * Decides what becomes of one packet: the order of the questions that a router
 * asks, and the drop reason of the first that is answered with no.
 *
 *   from a qube: source -> link noise -> fragments -> ICMP errors -> flow,
 *     or gateway's services, DNS, martians, other qubes, route -> time to
 *     live, protocol, size -> rules and quotas for a new flow -> translation
 *   from the tunnel: destination -> fragments -> protocol, source of errors ->
 *     time to live -> size -> flow -> translation back
 */
#ifndef ROUTER_VERDICT_H
#define ROUTER_VERDICT_H

#include "gateway/router/router_state.h"

/* DROP_NONE: translated, to leave through the tunnel. The packet is parsed,
 * and another one where it was the last of its fragments. */
MUST_USE enum drop verdict_from_qube(struct router *r, struct instant now,
                                     struct packet *p);

/* DROP_NONE: translated, with its qube set. DROP_TOO_BIG: somebody sent it
 * who may be told so. */
MUST_USE enum drop verdict_from_tunnel(struct router *r, struct instant now,
                                       struct packet *p);

#endif
