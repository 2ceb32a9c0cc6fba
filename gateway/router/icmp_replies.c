#include "gateway/router/icmp_replies.h"

#include "gateway/packet/refusal.h"

/* The answer to a sender about a drop; nothing where `told` is false. */
struct answer {
    bool told;
    uint8_t type4, code4, type6, code6;
};

#define UNREACHABLE(code4, code6)                                              \
    {                                                                          \
        true, ICMP_UNREACHABLE, code4, ICMPV6_UNREACHABLE, code6               \
    }
#define PROHIBITED UNREACHABLE(ICMP_CODE_PROHIBITED, ICMPV6_CODE_PROHIBITED)

static const struct answer table[DROP_COUNT] = {
    [DROP_TUNNEL_DOWN] = UNREACHABLE(ICMP_CODE_NETWORK, ICMPV6_CODE_NO_ROUTE),
    [DROP_NO_ROUTE] = UNREACHABLE(ICMP_CODE_NETWORK, ICMPV6_CODE_NO_ROUTE),
    [DROP_MARTIAN] = UNREACHABLE(ICMP_CODE_NETWORK, ICMPV6_CODE_NO_ROUTE),
    [DROP_NO_IPV6] = UNREACHABLE(ICMP_CODE_NETWORK, ICMPV6_CODE_NO_ROUTE),
    [DROP_NO_RESOLVER] = UNREACHABLE(ICMP_CODE_PORT, ICMPV6_CODE_PORT),
    [DROP_GATEWAY_SERVICE] = UNREACHABLE(ICMP_CODE_PORT, ICMPV6_CODE_PORT),
    [DROP_QUBE_TO_QUBE] = PROHIBITED,
    [DROP_HAIRPIN] = PROHIBITED,
    [DROP_RULE] = PROHIBITED,
    [DROP_NAME_UNKNOWN] = PROHIBITED,
    [DROP_NO_RULES] = PROHIBITED,
    [DROP_BAD_RULES] = PROHIBITED,
    [DROP_IP_OPTIONS] = PROHIBITED,
    [DROP_PORT_ZERO] = PROHIBITED,
    [DROP_ICMP_TYPE] = PROHIBITED,
    [DROP_FLOWS_FULL] = PROHIBITED,
    [DROP_FLOW_RATE] = PROHIBITED,
    [DROP_PORTS_FULL] = PROHIBITED,
    [DROP_HOST_TAKEN] = PROHIBITED,
    [DROP_TTL] = {true, ICMP_TIME_EXCEEDED, 0, ICMPV6_TIME_EXCEEDED, 0},
    [DROP_TOO_BIG] = {true, ICMP_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED,
                      ICMPV6_PACKET_TOO_BIG, 0},
    /* RFC 8200 4: unrecognized next header, at its offset. */
    [DROP_PROTOCOL] = {true, ICMP_UNREACHABLE, ICMP_CODE_PROTOCOL,
                       ICMPV6_PARAMETER_PROBLEM, 1},
};

static bool write_answer(const struct address *from, const struct packet *p,
                         enum drop drop, uint16_t mtu, struct packet *out,
                         size_t capacity)
{
    const struct answer *entry = &table[drop];
    bool v4 = p->ip.family == ADDRESS_IPV4;
    uint32_t rest = 0;
    /* A card may send more at once than it takes. */
    bool fits = p->fragment_size > 0 || p->ip.total <= PACKET_QUBE_MTU;
    if (drop == DROP_ANSWERED)
        return fits && refusal_write_echo_reply(p, out, capacity);
    if (drop == DROP_NO_FLOW)
        return refusal_write_reset(p, out, capacity);
    if (drop == DROP_TOO_BIG)
        rest = mtu;
    if (drop == DROP_PROTOCOL && !v4)
        rest = IPV6_NEXT_HEADER;
    return refusal_write_error(p, from, v4 ? entry->type4 : entry->type6,
                               v4 ? entry->code4 : entry->code6, rest, out,
                               capacity);
}

void icmp_replies_add(struct token_bucket *sender, const struct address *from,
                      struct instant now, const struct packet *packet,
                      enum drop drop, uint16_t mtu,
                      struct packet_batch *replies)
{
    const struct ip_packet *ip = &packet->ip;
    bool told = table[drop].told || drop == DROP_ANSWERED ||
                (drop == DROP_NO_FLOW && ip->protocol == IP_TCP);
    if (!told || refusal_must_not_answer(ip) ||
        replies->count == replies->capacity ||
        !token_bucket_take(sender, now, ICMP_REPLIES_RATE, ICMP_REPLIES_BURST))
        return;
    struct packet *out = packet_batch_add(replies);
    out->qube = packet->qube;
    if (!write_answer(from, packet, drop, mtu, out,
                      replies->buffer_size - PACKET_HEADROOM))
        replies->count--;
}
