#include "gateway/packet/mss.h"

#include "gateway/packet/checksum.h"

enum {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_MSS_LENGTH = 4,
};

/* The offset of the option's value in the TCP header, or 0. */
static size_t find_option(const uint8_t *tcp, size_t size)
{
    size_t at = TCP_HEADER_SIZE;
    while (at < size && tcp[at] != OPTION_END) {
        if (tcp[at] == OPTION_NOP) {
            at++;
            continue;
        }
        if (size - at < 2 || tcp[at + 1] < 2 || tcp[at + 1] > size - at)
            return 0;
        if (tcp[at] == OPTION_MSS && tcp[at + 1] == OPTION_MSS_LENGTH)
            return at + 2;
        at += tcp[at + 1];
    }
    return 0;
}

void mss_clamp(const struct packet *packet, uint16_t packet_size)
{
    const struct ip_packet *ip = &packet->ip;
    if (ip->protocol != IP_TCP || !(ip->tcp_flags & TCP_SYN))
        return;
    uint8_t *tcp = ip_transport(ip);
    size_t at = find_option(tcp, (size_t)(ip->payload - ip->transport));
    uint16_t headers =
        TCP_HEADER_SIZE +
        (ip->family == ADDRESS_IPV4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE);
    uint16_t most = packet_size > headers + MSS_MIN
                        ? (uint16_t)(packet_size - headers)
                        : MSS_MIN;
    if (at == 0 || load_u16(tcp + at) <= most)
        return;
    uint32_t change = checksum_change(load_u16(tcp + at), most);
    store_u16(tcp + at, most);
    if (packet->checksum == PACKET_CHECKSUM_PARTIAL)
        return; /* not counted yet */
    if (at % 2)
        change = checksum_swap(checksum_fold(change));
    store_u16(tcp + TCP_CHECKSUM,
              checksum_patch(load_u16(tcp + TCP_CHECKSUM), change));
}
