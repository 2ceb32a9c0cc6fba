#include "gateway/link/ethernet.h"
#include "gateway/link/vnet_header.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>

/* A header that is believed can be written again, and reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t header[VNET_HEADER_SIZE];
    if (size < VNET_HEADER_SIZE || size > PACKET_SIZE_MAX)
        return 0;
    size_t left = size - VNET_HEADER_SIZE;
    uint8_t *copy = malloc(left ? left : 1);
    if (!copy)
        return 0;
    memcpy(copy, data + VNET_HEADER_SIZE, left);
    struct packet packet = {.data = copy, .size = (uint32_t)left};
    if (vnet_header_read(data, ETHERNET_HEADER_SIZE, &packet)) {
        struct packet again = packet;
        if (packet.size > left ||
            !vnet_header_write(&packet, ETHERNET_HEADER_SIZE, header) ||
            !vnet_header_read(header, ETHERNET_HEADER_SIZE, &again) ||
            again.gso != packet.gso || again.gso_size != packet.gso_size ||
            again.checksum != packet.checksum || again.size != packet.size)
            abort();
    }
    free(copy);
    return 0;
}
