#include "gateway/packet/ip_packet.h"

#include <stdlib.h>

#include "gateway/packet/packet.h"
#include "tests/fuzz/target.h"

/* Offload data from the first four bytes, then the packet, on the heap at its
 * exact size, its header checksum made right so that more is reached. */
static void parse_whole(const uint8_t *data, size_t size)
{
    struct packet p = {
        .data = malloc(size ? size : 1),
        .size = (uint32_t)size - 4,
        .gso = data[0] % 3,
        .checksum = data[1] % 3,
        .gso_size = load_u16(data + 2),
    };
    memcpy(p.data, data + 4, p.size);
    size_t header = p.size ? (size_t)(p.data[0] & 15) * 4 : 0;
    if (p.size && p.data[0] >> 4 == 4 && header >= 20 && header <= p.size)
        ip_write_checksum(&(struct ip_packet){.data = p.data,
                                              .family = ADDRESS_IPV4,
                                              .transport = (uint16_t)header});
    uint32_t before = p.size;
    if (ip_packet_parse(&p) == DROP_NONE) {
        check(p.size <= before && p.ip.total == p.size);
        check(p.ip.transport <= p.ip.payload && p.ip.payload <= p.ip.total);
        check(p.ip.transport >= (p.ip.family == ADDRESS_IPV4 ? 20 : 40));
        check(ip_source(&p.ip) + 2 * ip_address_size(&p.ip) <=
              p.ip.data + p.ip.transport);
        if (p.ip.fragment_offset == 0 && p.ip.protocol == IP_TCP)
            check(p.ip.payload - p.ip.transport >= TCP_HEADER_SIZE);
        if (p.gso != PACKET_GSO_NONE)
            check(p.checksum == PACKET_CHECKSUM_PARTIAL &&
                  !ip_is_fragment(&p.ip));
    }
    free(p.data);
}

static void parse_quoted(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct ip_packet ip;
    memcpy(copy, data, size);
    if (ip_packet_parse_quoted(copy, size, &ip))
        check((size_t)ip.transport + 8 <= size && ip.fragment_offset == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 70000)
        return 0;
    parse_whole(data, size);
    parse_quoted(data + 4, size - 4);
    return 0;
}
