#include "gateway/link/ndp.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* The checksum of ICMPv6 is made right first, for no guess would hit it. */
static void fill_checksum(uint8_t *packet, size_t size)
{
    uint64_t sum = 58 + size - 40;
    store_u16(packet + 42, 0);
    for (size_t i = 8; i < size; i++)
        sum += (uint64_t)packet[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    store_u16(packet + 42, (uint16_t)~sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct address own = {
        ADDRESS_IPV6, {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    static const uint8_t mac[6] = {2};
    struct ndp_solicitation solicitation;
    uint8_t frame[NDP_FRAME_SIZE];
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (size >= 64)
        fill_checksum(copy, size);
    struct bytes packet = {copy, size};
    if (ndp_parse(packet, &solicitation)) {
        if (!ndp_is(packet))
            abort();
        /* An answer is no question. */
        if (ndp_answer(&solicitation, mac, &own, frame) &&
            (address_equal(&solicitation.target, &own) ||
             ndp_parse(bytes_of(frame + ETHERNET_HEADER_SIZE,
                                NDP_FRAME_SIZE - ETHERNET_HEADER_SIZE),
                       &solicitation)))
            abort();
    }
    free(copy);
    return 0;
}
