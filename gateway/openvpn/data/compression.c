#include "gateway/openvpn/data/compression.h"

#include <assert.h>

enum {
    PLAIN = 0xfa,      /* LZO framing */
    PLAIN_SWAP = 0xfb, /* STUB framing */
    BY_LZO = 0x66,
    BY_LZ4 = 0x69,
    V2 = 0x50, /* STUB_V2: the next byte says how */
    V2_LZ4 = 1,
    V2_SNAPPY = 3,
};

void compression_clear(struct compression *c)
{
    decompression_free(c->decompression);
    c->decompression = NULL;
}

struct burst_layout compression_layout(const struct compression *c,
                                       struct burst_layout channel)
{
    struct burst_layout layout = channel;
    switch (c->kind) {
    case CONFIG_COMPRESSION_LZO:
        layout.head++;
        layout.lead++;
        layout.extra++;
        break;
    case CONFIG_COMPRESSION_STUB:
        layout.tail++;
        layout.trail++;
        layout.extra++;
        break;
    case CONFIG_COMPRESSION_NONE:
    case CONFIG_COMPRESSION_STUB_V2:
        break;
    }
    return layout;
}

static void frame(enum config_compression kind, struct datagram *d)
{
    uint8_t *inner = d->data + d->inner_offset;
    switch (kind) {
    case CONFIG_COMPRESSION_LZO:
        inner[-1] = PLAIN;
        d->inner_offset--;
        d->inner_size++;
        break;
    case CONFIG_COMPRESSION_STUB:
        inner[d->inner_size] = inner[0];
        inner[0] = PLAIN_SWAP;
        d->inner_size++;
        break;
    case CONFIG_COMPRESSION_STUB_V2:
        /* it would be taken for a mark, and is no IP packet */
        if (inner[0] == V2)
            d->drop = DROP_IP_MALFORMED;
        break;
    case CONFIG_COMPRESSION_NONE:
        break;
    }
}

void compression_frame(const struct compression *c, struct burst *burst)
{
    if (c->kind == CONFIG_COMPRESSION_NONE)
        return;
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (d->inner_size > 0 && d->drop == DROP_NONE)
            frame(c->kind, d);
    }
}

/* Takes `size` bytes off the front. */
static void skip(struct datagram *d, uint16_t size)
{
    d->inner_offset = (uint16_t)(d->inner_offset + size);
    d->inner_size = (uint16_t)(d->inner_size - size);
}

static enum drop expand(struct compression *c, enum decompression_format format,
                        struct datagram *d)
{
    if (!c->decompression && !c->refused)
        c->decompression = decompression_new();
    if (!c->decompression)
        return DROP_DATA_COMPRESSED;
    return decompression_expand(c->decompression, format, d)
               ? DROP_NONE
               : DROP_DATA_MALFORMED;
}

static enum drop unframe_lzo(struct compression *c, struct datagram *d)
{
    switch (d->data[d->inner_offset]) {
    case PLAIN:
        skip(d, 1);
        return DROP_NONE;
    case BY_LZO:
        skip(d, 1);
        return expand(c, DECOMPRESSION_LZO, d);
    case BY_LZ4:
        return DROP_DATA_COMPRESSED;
    default:
        return DROP_DATA_MALFORMED;
    }
}

/* The last byte belongs to where the mark stands. */
static void swap_back(struct datagram *d)
{
    uint8_t *inner = d->data + d->inner_offset;
    d->inner_size--;
    inner[0] = inner[d->inner_size];
}

static enum drop unframe_stub(struct compression *c, struct datagram *d)
{
    switch (d->data[d->inner_offset]) {
    case PLAIN_SWAP:
        swap_back(d);
        return DROP_NONE;
    case BY_LZ4:
        swap_back(d);
        return expand(c, DECOMPRESSION_LZ4, d);
    case BY_LZO:
        return DROP_DATA_COMPRESSED;
    default:
        return DROP_DATA_MALFORMED;
    }
}

static enum drop unframe_stub_v2(struct compression *c, struct datagram *d)
{
    const uint8_t *inner = d->data + d->inner_offset;
    if (inner[0] != V2)
        return DROP_NONE;
    if (d->inner_size < 2)
        return DROP_DATA_MALFORMED;
    uint8_t how = inner[1];
    if (how > V2_LZ4 && how <= V2_SNAPPY)
        return DROP_DATA_COMPRESSED;
    if (how > V2_SNAPPY)
        return DROP_DATA_MALFORMED;
    skip(d, 2);
    return how == V2_LZ4 ? expand(c, DECOMPRESSION_LZ4, d) : DROP_NONE;
}

static enum drop unframe(struct compression *c, struct datagram *d)
{
    switch (c->kind) {
    case CONFIG_COMPRESSION_NONE:
        return DROP_NONE;
    case CONFIG_COMPRESSION_LZO:
        return unframe_lzo(c, d);
    case CONFIG_COMPRESSION_STUB:
        return unframe_stub(c, d);
    case CONFIG_COMPRESSION_STUB_V2:
        return unframe_stub_v2(c, d);
    }
    assert(false && "unknown framing");
    return DROP_DATA_MALFORMED;
}

void compression_unframe(struct compression *c, struct burst *burst,
                         size_t first, size_t count)
{
    assert(first + count <= burst->count);
    if (c->kind == CONFIG_COMPRESSION_NONE)
        return;
    for (size_t i = first; i < first + count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (d->inner_size == 0 || d->drop != DROP_NONE)
            continue;
        enum drop drop = unframe(c, d);
        if (drop == DROP_NONE && d->inner_size == 0)
            drop = DROP_DATA_MALFORMED; /* a frame around nothing */
        d->drop = (uint8_t)drop;
        if (drop != DROP_NONE)
            d->inner_size = 0;
    }
}
