/*
 * UDP through the relay of a SOCKS5 proxy: a TCP connection to the proxy,
 * which says where the relay is and holds it open, and a UDP uplink to the
 * relay with the server's name or address in front of each datagram.
 */
#ifndef UPLINK_UDP_SOCKS_H
#define UPLINK_UDP_SOCKS_H

#include "gateway/uplink/proxy.h"
#include "gateway/uplink/uplink.h"

/* As tcp_open(); `overhead` is known when connected() is called. */
struct uplink *udp_socks_open(const struct endpoint *peer,
                              const struct proxy *proxy, struct loop *loop,
                              const struct uplink_owner *owner,
                              enum error *error);

#endif
