#include "gateway/link/xen/vchan_framing.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { MEMORY_SIZE = PACKET_HEADROOM + PACKET_SIZE_MAX };

struct outcome {
    unsigned records, packets;
    enum vchan_framing_result last;
};

/* The frames of a qube that sends this, in pieces of so many bytes. */
static struct outcome receive(struct bytes stream, size_t piece)
{
    static const uint8_t unknown[6];
    const struct address ipv4 = {.family = ADDRESS_IPV4,
                                 .bytes = {10, 1, 2, 3}};
    const struct address ipv6 = {.family = ADDRESS_IPV6, .bytes = {0xfd}};
    struct outcome o = {0};
    struct vchan_framing_reader r;
    struct card card;
    uint8_t *memory = malloc(MEMORY_SIZE);
    if (!memory)
        return o;
    uint8_t *body = memory + PACKET_HEADROOM - CARD_HEADERS_SIZE;
    vchan_framing_reader_init(&r);
    card_init(&card, "fuzz", &ipv4, &ipv6, unknown);
    while (stream.size) {
        struct vchan_framing_room room = vchan_framing_reader_room(&r, body);
        size_t size = room.size < stream.size ? room.size : stream.size;
        if (size > piece)
            size = piece;
        if (size == 0)
            break;
        memcpy(room.data, stream.data, size);
        stream = bytes_of(stream.data + size, stream.size - size);
        o.last = vchan_framing_reader_put(&r, size);
        if (o.last != VCHAN_FRAMING_WHOLE)
            continue;
        struct packet packet = {.data = memory + PACKET_HEADROOM};
        struct frame frame;
        o.records++;
        if (card_take(&card, r.size, &packet, &frame) != FRAME_PACKET)
            continue;
        o.packets++;
        if (packet.size > r.size - CARD_HEADERS_SIZE)
            abort();
    }
    free(memory);
    return o;
}

/* The pieces in which a stream comes make no difference. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes stream = bytes_of(data + 1, size - 1);
    struct outcome whole = receive(stream, SIZE_MAX);
    struct outcome pieces = receive(stream, data[0] + 1U);
    if (whole.records != pieces.records || whole.packets != pieces.packets ||
        (whole.last == VCHAN_FRAMING_MALFORMED) !=
            (pieces.last == VCHAN_FRAMING_MALFORMED))
        abort();
    return 0;
}
