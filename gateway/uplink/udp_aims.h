/*
 * Where the datagrams of a UDP socket without a connection go: one address for
 * each number that a datagram may name, of either family.
 *
 * A socket that is not connected has no route, so the path's MTU is asked of
 * another one, which is connected for that and never sends.
 */
#ifndef UPLINK_UDP_AIMS_H
#define UPLINK_UDP_AIMS_H

#include "gateway/packet/burst.h"
#include "gateway/uplink/socket_name.h"

struct udp_aims {
    bool mapped; /* the socket is of both families: IPv4 as ::ffff:a.b.c.d */
    struct {
        struct endpoint to; /* family NONE: nowhere */
        union socket_name name;
        socklen_t size;
    } all[BURST_ENDPOINTS_MAX];
};

/* `to` of family NONE: nowhere any more. */
void udp_aims_set(struct udp_aims *a, unsigned number,
                  const struct endpoint *to);
/* Puts the address into the message; false where there is none. */
MUST_USE bool udp_aims_address(const struct udp_aims *a, unsigned number,
                               struct msghdr *message);

/* The narrowest of the ways there, as the system knows them; 0: of none. */
uint16_t udp_aims_mtu(const struct udp_aims *a);
bool udp_aims_has_ipv6(const struct udp_aims *a);

/* errno where this machine has no way there, else 0. */
int udp_aims_obstacle(const struct endpoint *to);

#endif
