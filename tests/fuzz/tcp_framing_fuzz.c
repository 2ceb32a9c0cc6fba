#include "gateway/uplink/tcp_framing.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { CAPACITY = 2 + TCP_FRAMING_PACKET_MAX };

static struct tcp_framing_input in;
static struct burst burst;

/* All that is whole; false once the stream is broken. */
static int take(struct bytes *expected)
{
    enum tcp_framing_result result;
    do {
        burst_reset(&burst);
        result = tcp_framing_next(&in, &burst);
        for (uint16_t i = 0; i < burst.count; i++) {
            const struct datagram *d = &burst.datagrams[i];
            if (expected->size < 2 || load_u16(expected->data) != d->size ||
                d->size == 0 || d->size > TCP_FRAMING_PACKET_MAX ||
                expected->size - 2 < d->size ||
                memcmp(expected->data + 2, d->data, d->size) != 0)
                abort();
            expected->data += 2 + d->size;
            expected->size -= 2 + (size_t)d->size;
        }
        if ((burst.count > 0) != (result == TCP_FRAMING_PACKETS))
            abort();
    } while (result == TCP_FRAMING_PACKETS);
    return result == TCP_FRAMING_NEED_MORE;
}

/* However the stream is cut, the packets are those that stand in it. The first
 * byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || !tcp_framing_input_init(&in, CAPACITY))
        return 0;
    size_t piece = 1 + (size_t)data[0] * 16;
    struct bytes rest = bytes_of(data + 1, size - 1);
    struct bytes expected = rest;
    int whole = 1;
    while (whole && rest.size > 0) {
        size_t room;
        uint8_t *space = tcp_framing_space(&in, &room);
        size_t here = piece < rest.size ? piece : rest.size;
        if (here > room)
            here = room;
        memcpy(space, rest.data, here);
        tcp_framing_received(&in, here);
        rest = bytes_of(rest.data + here, rest.size - here);
        whole = take(&expected);
    }
    /* The rest is less than a packet, or none. */
    size_t next = expected.size >= 2 ? load_u16(expected.data) : 1;
    if (whole ? expected.size >= 2 && expected.size - 2 >= next
              : next != 0 && next <= TCP_FRAMING_PACKET_MAX)
        abort();
    tcp_framing_input_clear(&in);
    return 0;
}
