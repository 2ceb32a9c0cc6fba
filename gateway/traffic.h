/*
 * Packets between links and tunnel: judged by the router, cut or joined, and
 * recorded if somebody wants to see them.
 *
 *   link -> router -> segment -> vpn_send
 *   received() of the VPN -> coalesce -> router -> delivery -> link
 */
#ifndef GATEWAY_TRAFFIC_H
#define GATEWAY_TRAFFIC_H

#include "gateway/link/link.h"
#include "gateway/link/pcap.h"
#include "gateway/router/router.h"
#include "gateway/vpn/vpn.h"

struct traffic; /* heap */

/* Borrows loop and router for its life. NULL when memory is short. */
struct traffic *traffic_new(struct loop *loop, struct router *router);
/* Links and the VPN must be gone before. */
void traffic_free(struct traffic *t);

/* The VPN by which packets leave; to be set before the first link is opened. */
void traffic_set_vpn(struct traffic *t, struct vpn *vpn);
/* Writes what qubes send and get, in their own addresses; NULL: does not. */
void traffic_set_record(struct traffic *t, struct pcap *pcap);
/* Whether every link takes super-packets of UDP. */
void traffic_join_udp(struct traffic *t, bool join);

/* The owner to open links with. */
struct link_owner traffic_owner(struct traffic *t);

/* The tunnel stands, or is another; or no longer does. */
void traffic_tunnel_up(struct traffic *t, struct instant now,
                       const struct tunnel *tunnel);
void traffic_tunnel_down(struct traffic *t, struct instant now);

/* Opened packets; for received() of the VPN. */
void traffic_from_tunnel(void *traffic, struct instant now,
                         struct burst *burst);

/* The router was told something else, its deadline may be another. */
void traffic_router_changed(struct traffic *t);

#endif
