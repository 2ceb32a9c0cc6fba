/*
 * Cuts a packet that leaves through the tunnel into datagrams of at most the
 * tunnel's MTU: TCP and UDP super-packets into segments, IPv4 packets without
 * DF into fragments (a UDP super-packet's segments, too), and what came in
 * fragments into such as are no larger. Header, payload copy and checksum in
 * one pass, straight behind the room for the tunnel's own header.
 */
#ifndef PACKET_SEGMENT_H
#define PACKET_SEGMENT_H

#include "gateway/packet/burst.h"
#include "gateway/packet/packet.h"

/* How far a packet was cut; starts zeroed. */
struct segment_cursor {
    uint32_t offset; /* payload bytes done */
};

enum segment_result {
    SEGMENT_DONE,   /* the whole packet is in the burst */
    SEGMENT_FULL,   /* the burst is: send it and call again */
    SEGMENT_REFUSED /* cannot be cut: too big with DF */
};

/* How many IPv4 identifications the packet takes, from its own on, when it is
 * cut for `mtu`: one for each segment, and all fragments share one. */
uint32_t segment_count(const struct packet *packet, uint16_t mtu);

/* The packet is parsed, and the router has made sure that it fits `mtu`, or
 * may be fragmented; what slipped through is REFUSED. Completes a PARTIAL
 * checksum. */
enum segment_result segment(const struct packet *p, uint16_t mtu,
                            const struct burst_layout *layout,
                            struct segment_cursor *cursor, struct burst *burst);

#endif
