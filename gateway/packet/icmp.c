#include "gateway/packet/icmp.h"

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

bool icmp_is(const struct ip_packet *ip)
{
    return ip_is_icmp(ip->family, ip->protocol);
}

bool icmp_is_echo_request(const struct ip_packet *ip)
{
    return icmp_is(ip) && ip->icmp_code == 0 &&
           ip->icmp_type == (ip->family == ADDRESS_IPV4 ? ICMP_ECHO_REQUEST
                                                        : ICMPV6_ECHO_REQUEST);
}

static bool is_echo_reply(const struct ip_packet *ip)
{
    return icmp_is(ip) && ip->icmp_code == 0 &&
           ip->icmp_type == (ip->family == ADDRESS_IPV4 ? ICMP_ECHO_REPLY
                                                        : ICMPV6_ECHO_REPLY);
}

static bool is_timestamp(const struct ip_packet *ip, enum icmp_type type)
{
    return ip->family == ADDRESS_IPV4 && icmp_is(ip) && ip->icmp_code == 0 &&
           ip->icmp_type == type;
}

bool icmp_is_request(const struct ip_packet *ip)
{
    return icmp_is_echo_request(ip) || is_timestamp(ip, ICMP_TIMESTAMP_REQUEST);
}

bool icmp_is_reply(const struct ip_packet *ip)
{
    return is_echo_reply(ip) || is_timestamp(ip, ICMP_TIMESTAMP_REPLY);
}

uint8_t icmp_request_type(const struct ip_packet *ip)
{
    if (ip->family == ADDRESS_IPV6)
        return ICMPV6_ECHO_REQUEST;
    return ip->icmp_type == ICMP_TIMESTAMP_REQUEST ||
                   ip->icmp_type == ICMP_TIMESTAMP_REPLY
               ? ICMP_TIMESTAMP_REQUEST
               : ICMP_ECHO_REQUEST;
}

bool icmp_is_error(const struct ip_packet *ip)
{
    if (!icmp_is(ip))
        return false;
    if (ip->family == ADDRESS_IPV6)
        return ip->icmp_type >= ICMPV6_UNREACHABLE &&
               ip->icmp_type <= ICMPV6_PARAMETER_PROBLEM;
    return ip->icmp_type == ICMP_UNREACHABLE ||
           ip->icmp_type == ICMP_TIME_EXCEEDED ||
           ip->icmp_type == ICMP_PARAMETER_PROBLEM;
}

/* The sum over the message and, for ICMPv6, its pseudo-header. */
static uint32_t message_sum(const struct ip_packet *ip)
{
    uint32_t size = ip->total - ip->transport;
    uint32_t sum = checksum_sum(ip_transport(ip), size);
    return ip->family == ADDRESS_IPV6 ? sum + ip_pseudo_sum(ip, size) : sum;
}

void icmp_write_checksum(const struct ip_packet *ip)
{
    store_u16(ip_transport(ip) + ICMP_CHECKSUM, 0);
    store_u16(ip_transport(ip) + ICMP_CHECKSUM,
              checksum_finish(message_sum(ip)));
}

/* A size below what every link carries is nonsense, or a blind attempt to
 * have packets cut small; zero is what routers before RFC 1191 say. */
static bool mtu_makes_sense(const struct ip_packet *ip)
{
    const uint8_t *t = ip_transport(ip);
    if (ip->family == ADDRESS_IPV6)
        return ip->icmp_type != ICMPV6_PACKET_TOO_BIG ||
               load_u32(t + 4) >= ICMP_IPV6_MTU_MIN;
    if (ip->icmp_type != ICMP_UNREACHABLE ||
        ip->icmp_code != ICMP_CODE_FRAGMENTATION_NEEDED)
        return true;
    uint16_t mtu = load_u16(t + 6);
    return mtu == 0 || mtu >= ICMP_IPV4_MTU_MIN;
}

enum drop icmp_find_quoted(const struct packet *packet,
                           struct ip_packet *quoted)
{
    const struct ip_packet *ip = &packet->ip;
    if (packet->piece_count > 0)
        return DROP_TRANSPORT_MALFORMED;
    if (checksum_fold(message_sum(ip)) != 0xffff)
        return DROP_TRANSPORT_CHECKSUM;
    if (!mtu_makes_sense(ip) ||
        !ip_packet_parse_quoted(ip->data + ip->payload, ip_payload_size(ip),
                                quoted) ||
        quoted->family != ip->family)
        return DROP_ICMP_EMBEDDED;
    /* RFC 1122 3.2.2: no error is answered by an error. */
    if (icmp_is(quoted) && !icmp_is_request(quoted) && !icmp_is_reply(quoted))
        return DROP_ICMP_EMBEDDED;
    return DROP_NONE;
}
