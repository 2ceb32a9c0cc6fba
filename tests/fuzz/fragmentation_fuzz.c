/*
 * Pieces of packets as an input says them, in bursts: a byte for a step, which
 * is a piece (its header and bytes follow), the end of a burst, or seconds that
 * pass. The result is a packet in memory of its own, nothing, or dropped; and
 * what was cut by us is joined to the same bytes.
 */
#include "gateway/openvpn/data/fragmentation.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { BURST_MAX = 32, PIECE_MAX = 1023 };

struct world {
    struct fragmentation f;
    struct instant now;
    struct burst burst;
    uint8_t *memory[BURST_MAX];
};

static void end_burst(struct world *w)
{
    fragmentation_join(&w->f, w->now, &w->burst, 0, w->burst.count);
    for (size_t i = 0; i < w->burst.count; i++) {
        const struct datagram *d = &w->burst.datagrams[i];
        check(d->inner_offset + d->inner_size <= d->size);
        check(d->drop == DROP_NONE || d->inner_size == 0);
        if (d->data != w->memory[i])
            check(d->inner_size > 0 && d->inner_size <= BURST_PLACE_SIZE);
        for (uint16_t k = 0; k < d->inner_size; k++)
            check(d->data[d->inner_offset + k] == 0x5a);
    }
    for (size_t i = 0; i < w->burst.count; i++)
        free(w->memory[i]);
    burst_reset(&w->burst);
}

static void add(struct world *w, struct reader *r)
{
    uint16_t size = read_u16(r) % (PIECE_MAX + 1);
    struct bytes header = read_bytes(r, FRAGMENT_HEADER_SIZE);
    if (!reader_ok(r))
        return;
    size_t whole = header.size + size;
    uint8_t *memory = malloc(whole);
    memset(memory, 0x5a, whole);
    memcpy(memory, header.data, header.size);
    if (w->burst.count == BURST_MAX)
        end_burst(w);
    w->memory[w->burst.count] = memory;
    check(burst_add_view(&w->burst, memory, (uint16_t)whole));
    w->burst.datagrams[w->burst.count - 1].inner_size = (uint16_t)whole;
}

/* A packet of the input's size with the input's limit, its pieces in an order
 * of the input's. */
static void round_trip(struct world *w, struct reader *r)
{
    struct fragmentation out = {.max = read_u16(r) % 2000 + 68};
    uint32_t size = read_u16(r) % BURST_PLACE_SIZE + 1;
    uint8_t turn = read_u8(r);
    out.sequence = read_u8(r);
    struct burst_layout layout =
        fragmentation_layout(&out, (struct burst_layout){.head = 24});
    static struct burst sealed;
    if (!sealed.memory)
        check(burst_init(&sealed, 100000));
    burst_reset(&sealed);
    end_burst(w);
    struct datagram *d = burst_reserve(&sealed, &layout, size);
    if (!d)
        return;
    memset(d->data + d->inner_offset, 0x5a, size);
    fragmentation_cut(&out, &layout, &sealed);
    for (size_t i = 0; i < sealed.count; i++) {
        const struct datagram *from =
            &sealed.datagrams[(i + turn) % sealed.count];
        uint8_t *copy = malloc(from->inner_size);
        memcpy(copy, from->data + from->inner_offset, from->inner_size);
        check(from->size <= out.max);
        w->memory[i] = copy;
        check(burst_add_view(&w->burst, copy, from->inner_size));
        w->burst.datagrams[i].inner_size = from->inner_size;
    }
    size_t last = sealed.count - 1;
    fragmentation_join(&w->f, w->now, &w->burst, 0, sealed.count);
    d = &w->burst.datagrams[last];
    check(d->drop == DROP_NONE && d->inner_size == size);
    for (size_t i = 0; i <= last; i++)
        free(w->memory[i]);
    burst_reset(&w->burst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct reader r = reader_of(bytes_of(data, size));
    w.f.max = 1300;
    while (r.left > 0) {
        uint8_t step = read_u8(&r);
        if (step < 0xc0)
            add(&w, &r);
        else if (step < 0xe0)
            end_burst(&w);
        else if (step < 0xf0)
            w.now = instant_after(w.now, duration_seconds(step & 0xf));
        else
            round_trip(&w, &r);
    }
    end_burst(&w);
    (void)fragmentation_lost(&w.f);
    fragmentation_clear(&w.f);
    return 0;
}
