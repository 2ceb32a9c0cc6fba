/* Packets of tests that nobody has parsed on their way. */
#ifndef TESTS_PACKET_PARSED_H
#define TESTS_PACKET_PARSED_H

#include "gateway/packet/segment.h"

#include "gateway/packet/ip_packet.h"

/* Parses a copy and cuts it; refused where it does not parse. */
static inline enum segment_result
parsed_segment(const struct packet *packet, uint16_t mtu,
               const struct burst_layout *layout, struct segment_cursor *cursor,
               struct burst *burst)
{
    struct packet p = *packet;
    return ip_packet_parse(&p) == DROP_NONE
               ? segment(&p, mtu, layout, cursor, burst)
               : SEGMENT_REFUSED;
}

/* The facts that travel with the packet are what its bytes say. */
static inline bool parsed_truly(const struct packet *packet)
{
    struct packet p = *packet;
    const struct ip_packet *was = &packet->ip, *is = &p.ip;
    return ip_packet_parse(&p) == DROP_NONE && was->data == is->data &&
           was->total == is->total && was->transport == is->transport &&
           was->payload == is->payload && was->family == is->family &&
           was->protocol == is->protocol && was->ttl == is->ttl &&
           was->options == is->options &&
           was->dont_fragment == is->dont_fragment &&
           was->more_fragments == is->more_fragments &&
           was->fragment_offset == is->fragment_offset &&
           was->fragment_id == is->fragment_id &&
           was->tcp_flags == is->tcp_flags && was->icmp_type == is->icmp_type &&
           was->icmp_code == is->icmp_code &&
           was->source_port == is->source_port &&
           was->destination_port == is->destination_port;
}

#endif
