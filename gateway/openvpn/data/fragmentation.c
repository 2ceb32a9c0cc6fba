#include "gateway/openvpn/data/fragmentation.h"

#include <assert.h>

void fragmentation_clear(struct fragmentation *f)
{
    reassembly_free(f->reassembly);
    f->reassembly = NULL;
}

struct burst_layout fragmentation_layout(const struct fragmentation *f,
                                         struct burst_layout channel)
{
    struct burst_layout layout = channel;
    if (f->max == 0)
        return layout;
    layout.head += FRAGMENT_HEADER_SIZE;
    layout.lead += FRAGMENT_HEADER_SIZE;
    uint32_t room = burst_inner_size(&layout, f->max);
    layout.cut = (uint16_t)(room > 0 ? room : 1); /* 1: nothing has room */
    return layout;
}

/* --- Out ----------------------------------------------------------------- */

static void put_header(struct datagram *d, const struct fragment_header *h)
{
    d->inner_offset = (uint16_t)(d->inner_offset - FRAGMENT_HEADER_SIZE);
    d->inner_size = (uint16_t)(d->inner_size + FRAGMENT_HEADER_SIZE);
    struct writer w =
        writer_of(d->data + d->inner_offset, FRAGMENT_HEADER_SIZE);
    fragment_header_write(&w, h);
}

/* The datagrams behind the first one were reserved for this. */
static void cut(uint8_t sequence, const struct burst_layout *layout,
                const struct burst_pieces *pieces, struct datagram *first)
{
    const uint8_t *from = first->data + first->inner_offset;
    for (uint32_t i = 0; i < pieces->count; i++) {
        struct datagram *d = &first[i];
        bool is_last = i + 1 == pieces->count;
        const struct fragment_header h = {
            .type = is_last ? FRAGMENT_LAST : FRAGMENT_MORE,
            .sequence = sequence,
            .number = (uint8_t)i,
            .size = (uint16_t)(is_last ? pieces->size : 0),
        };
        d->inner_offset = layout->head;
        d->inner_size = (uint16_t)(is_last ? pieces->last : pieces->size);
        memmove(d->data + d->inner_offset, from, d->inner_size);
        from += d->inner_size;
        put_header(d, &h);
    }
}

void fragmentation_cut(struct fragmentation *f,
                       const struct burst_layout *layout, struct burst *burst)
{
    static const struct fragment_header whole = {.type = FRAGMENT_WHOLE};
    uint32_t count = 1;
    if (f->max == 0)
        return;
    for (size_t i = 0; i < burst->count; i += count) {
        struct datagram *d = &burst->datagrams[i];
        const struct burst_pieces pieces =
            burst_pieces_of(layout, d->inner_size);
        count = pieces.count;
        assert(count > 0 && i + count <= burst->count);
        for (uint32_t j = 1; d->drop != DROP_NONE && j < count; j++)
            d[j].drop = d->drop;
        if (d->inner_size == 0 || d->drop != DROP_NONE)
            continue;
        if (count == 1)
            put_header(d, &whole);
        else
            cut(f->sequence++, layout, &pieces, d);
    }
}

/* --- In ------------------------------------------------------------------ */

static void take(struct fragmentation *f, struct instant now,
                 struct burst *burst, struct datagram *d)
{
    struct reader r =
        reader_of(bytes_of(d->data + d->inner_offset, d->inner_size));
    struct fragment_header h;
    if (!fragment_header_read(&r, &h) ||
        d->inner_size == FRAGMENT_HEADER_SIZE) {
        d->inner_size = 0;
        d->drop = DROP_DATA_FRAGMENT;
        return;
    }
    d->inner_offset = (uint16_t)(d->inner_offset + FRAGMENT_HEADER_SIZE);
    d->inner_size = (uint16_t)(d->inner_size - FRAGMENT_HEADER_SIZE);
    if (h.type == FRAGMENT_WHOLE)
        return;
    if (!f->reassembly)
        f->reassembly = reassembly_new();
    if (f->reassembly) {
        reassembly_take(f->reassembly, now, &h, burst, d);
        return;
    }
    d->inner_size = 0;
    d->drop = DROP_DATA_FRAGMENT_LOST;
}

void fragmentation_join(struct fragmentation *f, struct instant now,
                        struct burst *burst, size_t first, size_t count)
{
    assert(first + count <= burst->count);
    if (f->max == 0)
        return;
    for (size_t i = first; i < first + count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (d->inner_size > 0 && d->drop == DROP_NONE)
            take(f, now, burst, d);
    }
}

uint64_t fragmentation_lost(struct fragmentation *f)
{
    return f->reassembly ? reassembly_lost(f->reassembly) : 0;
}
