/*
 * IPv4 options and IPv6 extension headers: which of them a packet may have
 * that passes. Those pass that ask nothing of a router on the way which could
 * lead the packet elsewhere, or that it has to understand.
 *
 *   IPv4   padding, security (RFC 1108, CIPSO), stream identifier, record
 *          route, timestamp, router alert; no source routes
 *   IPv6   hop-by-hop options in the first place, and destination options,
 *          where a node that does not know an option skips it (RFC 8200 4.2);
 *          no routing header
 *
 * The gateway itself writes nothing into them.
 */
#ifndef PACKET_IP_OPTIONS_H
#define PACKET_IP_OPTIONS_H

#include "gateway/packet/ip_header.h"

/* True for a packet that has none. */
bool ip_options_are_harmless(const struct ip_packet *ip);

#endif
