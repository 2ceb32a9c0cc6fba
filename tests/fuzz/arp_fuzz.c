#include "gateway/link/arp.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* An answer is a reply to the sender, and never one about its own address. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct address own = {ADDRESS_IPV4, {10, 137, 0, 1}};
    struct arp_packet request;
    struct arp_packet reply;
    uint8_t frame[ARP_FRAME_SIZE];
    if (!arp_parse(bytes_of(data, size), &request) ||
        !arp_answer(&request, &own, frame))
        return 0;
    if (!arp_parse(bytes_of(frame + ETHERNET_HEADER_SIZE, ARP_SIZE), &reply) ||
        reply.operation != ARP_REPLY || address_equal(&reply.sender, &own) ||
        !address_equal(&reply.sender, &request.target) ||
        !address_equal(&reply.target, &request.sender) ||
        memcmp(frame, request.sender_mac, 6) != 0)
        abort();
    return 0;
}
