/* Numbered packets of a test, and whether each came through once and whole. */
#ifndef SIMULATOR_ARRIVALS_H
#define SIMULATOR_ARRIVALS_H

#include "gateway/base/bytes.h"

enum { ARRIVALS_MAX = 8192, ARRIVALS_PACKET_SIZE = 100 };

struct arrivals {
    uint64_t count, repeated, garbled;
    bool seen[ARRIVALS_MAX];
};

/* Looks like IPv4 from the client, to whoever looks at version and addresses
 * only. */
static inline void arrivals_write(uint8_t *packet, uint32_t number)
{
    memset(packet, (int)(number & 0xff), ARRIVALS_PACKET_SIZE);
    packet[0] = 0x45;
    store_u32(packet + 12, 0x0a080002);
    store_u32(packet + 16, 0x0a080001);
    store_u32(packet + 20, number);
}

static inline void arrivals_take(struct arrivals *a, struct bytes packet)
{
    uint8_t expected[ARRIVALS_PACKET_SIZE];
    uint32_t number = packet.size == ARRIVALS_PACKET_SIZE
                          ? load_u32(packet.data + 20)
                          : ARRIVALS_MAX;
    arrivals_write(expected, number);
    if (number >= ARRIVALS_MAX ||
        memcmp(expected, packet.data, sizeof expected) != 0) {
        a->garbled++;
        return;
    }
    a->count += !a->seen[number];
    a->repeated += a->seen[number];
    a->seen[number] = true;
}

#endif
