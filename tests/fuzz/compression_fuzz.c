#include "gateway/openvpn/data/compression.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* Bytes that were decompressed compress again and give the same bytes. */
static void frame_again(const struct compression *c, const struct datagram *d,
                        struct bytes wire)
{
    struct burst_layout layout =
        compression_layout(c, (struct burst_layout){0});
    struct burst burst;
    check(burst_init(&burst, 70000));
    struct datagram *again = burst_reserve(&burst, &layout, d->inner_size);
    memcpy(again->data + again->inner_offset, d->data + d->inner_offset,
           d->inner_size);
    compression_frame(c, &burst);
    bool escaped =
        c->kind == CONFIG_COMPRESSION_STUB_V2 && wire.data[0] == 0x50;
    if (escaped)
        check(again->drop == DROP_IP_MALFORMED ||
              again->size + 2u == wire.size);
    else
        check(again->drop == DROP_NONE && again->size == wire.size &&
              again->inner_size == again->size &&
              !memcmp(again->data, wire.data, wire.size));
    burst_clear(&burst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 60000)
        return 0;
    static struct compression c;
    c.kind = (enum config_compression)(data[0] & 3);
    struct bytes wire = bytes_of(data + 1, size - 1);
    uint8_t *copy = malloc(wire.size);
    memcpy(copy, wire.data, wire.size);
    static struct burst burst;
    burst_reset(&burst);
    check(burst_add_view(&burst, copy, (uint16_t)wire.size));
    struct datagram *d = &burst.datagrams[0];
    d->inner_size = (uint16_t)wire.size;
    compression_unframe(&c, &burst, 0, 1);
    check(d->inner_offset + d->inner_size <= d->size);
    check(d->drop == DROP_NONE ? d->inner_size > 0 : d->inner_size == 0);
    if (d->data != copy)
        check(d->inner_size <= DECOMPRESSION_PACKET_MAX);
    else if (d->drop == DROP_NONE)
        frame_again(&c, d, wire);
    free(copy);
    return 0;
}
