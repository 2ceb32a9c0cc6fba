#include "gateway/packet/segment.h"

#include <stdlib.h>

#include "gateway/packet/ip_packet.h"
#include "tests/fuzz/target.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"

static const struct burst_layout layout = {.head = 24, .tail = 16};

/* Each segment fits, parses, and, where the checksum was ours to fill in, has
 * the right one; together they are as much as went in. */
static uint32_t look_at(const struct packet *p, const struct burst *b,
                        uint16_t mtu)
{
    uint32_t payload = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct packet out = {.data = b->datagrams[i].data +
                                     b->datagrams[i].inner_offset,
                             .size = b->datagrams[i].inner_size};
        check(out.size <= mtu);
        enum drop drop = ip_packet_parse(&out);
        /* A first fragment may be too small for its transport header. */
        check(drop == DROP_NONE || drop == DROP_TRANSPORT_MALFORMED);
        if (drop != DROP_NONE)
            return UINT32_MAX;
        if (p->checksum == PACKET_CHECKSUM_PARTIAL &&
            !ip_is_fragment(&out.ip) &&
            out.ip.transport == (out.ip.family == ADDRESS_IPV4 ? 20 : 40))
            check(craft_checksums_right(out.data, out.size));
        payload +=
            p->gso ? ip_payload_size(&out.ip) : out.ip.total - out.ip.transport;
    }
    return payload;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct burst burst;
    if (size < 8 || size > 66000)
        return 0;
    struct packet p = {
        .data = malloc(size),
        .size = (uint32_t)size - 7,
        .gso = data[0] % 3,
        .checksum = data[0] / 3 % 3,
        .fragment_size = data[0] & 128 ? 600 : 0,
        .gso_size = load_u16(data + 1),
    };
    uint16_t mtu = load_u16(data + 3) % 2000;
    uint16_t split = load_u16(data + 5);
    memcpy(p.data, data + 7, p.size);
    size_t header = (size_t)(p.data[0] & 15) * 4;
    if (p.data[0] >> 4 == 4 && header >= 20 && header <= p.size)
        ip_write_checksum(&(struct ip_packet){.data = p.data,
                                              .family = ADDRESS_IPV4,
                                              .transport = (uint16_t)header});
    struct packet whole = p;
    bool parses = ip_packet_parse(&whole) == DROP_NONE;
    struct bytes piece;
    if (parses && split > whole.ip.payload && split < whole.size) {
        p.size = split;
        piece = bytes_of(p.data + split, whole.size - split);
        p.pieces = &piece;
        p.piece_count = 1;
        p.piece_bytes = (uint32_t)piece.size;
    }
    if (!burst.memory && !burst_init(&burst, 20000))
        return 0;
    struct segment_cursor cursor = {0};
    enum segment_result result;
    uint32_t payload = 0;
    bool countable = true;
    do {
        burst_reset(&burst);
        result = parsed_segment(&p, mtu, &layout, &cursor, &burst);
        uint32_t more = look_at(&p, &burst, mtu);
        countable = countable && more != UINT32_MAX;
        payload += more;
    } while (result == SEGMENT_FULL);
    check(parses || result == SEGMENT_REFUSED);
    if (result == SEGMENT_DONE && countable)
        check(payload == (p.gso ? ip_payload_size(&whole.ip)
                                : whole.ip.total - whole.ip.transport));
    free(p.data);
    return 0;
}
