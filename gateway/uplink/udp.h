/*
 * A UDP socket with UDP_SEGMENT and UDP_GRO, connected to its server where
 * that does not move.
 *
 * An ICMP error about the server is counted and said once, and never ends the
 * uplink: anybody on the internet can forge one, and the tunnel has timers.
 *
 * Over IPv4 datagrams go out without DF (IP_PMTUDISC_OMIT), so that where
 * the path is narrower than it looks and nobody says so a router cuts them
 * instead of dropping them, and so that no forged ICMP message makes us cut
 * them ourselves. Over IPv6 only the sender may cut; there the kernel
 * believes "packet too big" (IPV6_PMTUDISC_WANT), whose floor is 1280.
 *
 * `mtu` follows what the kernel knows of the way, at the latest a second
 * later: the interface's MTU, the route's, and the kernel's own store of what
 * ICMP said to others of its sockets; and, for ten minutes, the size of
 * fragments in which something came that the server alone can have made.
 * Forged words can bring it down to 1280 and no further.
 */
#ifndef UPLINK_UDP_H
#define UPLINK_UDP_H

#include "gateway/uplink/uplink.h"

/* NULL and *error on failure; the log says what. connected() is called from
 * the loop, not from inside. */
struct uplink *udp_open(const struct endpoint *server, struct loop *loop,
                        const struct uplink_owner *owner, enum error *error);

/* The same to servers that may move, of which several may be in force: what
 * anybody sends is given to the owner, with its source. Datagrams for
 * `endpoint` go to the server, others where aim() says. The socket is not
 * connected, so ICMP says nothing to it. */
struct uplink *udp_open_unconnected(unsigned endpoint,
                                    const struct endpoint *server,
                                    struct loop *loop,
                                    const struct uplink_owner *owner,
                                    enum error *error);

enum { UDP_HEADER_MAX = 320 };

/* The same to a relay: with the header, which is copied, in front of each
 * datagram that is sent. Received datagrams are given as they came. */
struct uplink *udp_open_with_header(const struct endpoint *server,
                                    struct bytes header, struct loop *loop,
                                    const struct uplink_owner *owner,
                                    enum error *error);

#endif
