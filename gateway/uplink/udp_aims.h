/*
 * The destinations of the datagrams of a UDP socket without a connection: one
 * address for each number that a datagram may name, of either family.
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

/* The socket; -1 and errno, also where this machine has no way to the first
 * server. Aims at it. */
int udp_aims_open(struct udp_aims *a, unsigned number,
                  const struct endpoint *to);

/* `to` of family NONE: nowhere any more. */
void udp_aims_set(struct udp_aims *a, unsigned number,
                  const struct endpoint *to);
/* Puts the address into the message, and says of which family it is; NONE
 * where there is none. */
enum address_family udp_aims_address(const struct udp_aims *a, unsigned number,
                                     struct msghdr *message);

/* The narrowest of the ways there, as the system knows them; 0: of none. */
uint16_t udp_aims_mtu(const struct udp_aims *a);
bool udp_aims_has_ipv6(const struct udp_aims *a);

#endif
