#include "gateway/openvpn/data/reassembly.h"

#include <stdlib.h>

#include "gateway/base/secret.h"

enum { NUMBER_MAX = BURST_PIECES_MAX - 1, NOT_KNOWN = UINT8_MAX };

struct partial {
    bool open;
    uint8_t sequence;
    uint8_t last;   /* number of the last piece, or NOT_KNOWN */
    uint16_t unit;  /* size of all the others */
    uint16_t total; /* once the last piece is here */
    uint32_t have;  /* bit n: piece n is here */
    struct instant began;
    uint8_t bytes[BURST_PLACE_SIZE];
};

struct reassembly {
    uint8_t newest; /* sequence */
    uint64_t lost;
    struct partial partials[REASSEMBLY_PACKETS];
};

struct reassembly *reassembly_new(void)
{
    return calloc(1, sizeof(struct reassembly));
}

void reassembly_free(struct reassembly *r)
{
    if (r)
        secret_wipe(r, sizeof *r);
    free(r);
}

uint64_t reassembly_lost(struct reassembly *r)
{
    uint64_t lost = r->lost;
    r->lost = 0;
    return lost;
}

static void give_up(struct reassembly *r, struct partial *p)
{
    if (p->open)
        r->lost += (unsigned)__builtin_popcount(p->have);
    p->open = false;
}

/* Sequences repeat after 256 packets: the remains of an old packet must not
 * meet another packet's pieces. A sequence that is not among the newest is
 * newer, or all packets between were lost. */
static void advance(struct reassembly *r, uint8_t sequence)
{
    if ((uint8_t)(r->newest - sequence) < REASSEMBLY_PACKETS)
        return;
    r->newest = sequence;
    for (size_t i = 0; i < REASSEMBLY_PACKETS; i++) {
        struct partial *p = &r->partials[i];
        if ((uint8_t)(sequence - p->sequence) >= REASSEMBLY_PACKETS)
            give_up(r, p);
    }
}

struct piece {
    bool is_last;
    uint8_t number;
    uint16_t unit;
    struct bytes bytes;
};

static bool is_sound(const struct piece *piece)
{
    size_t end = (size_t)piece->number * piece->unit + piece->bytes.size;
    return piece->bytes.size > 0 && piece->bytes.size <= piece->unit &&
           piece->unit % BURST_CUT_UNIT == 0 && end <= BURST_PLACE_SIZE &&
           (piece->is_last || piece->number < NUMBER_MAX);
}

static bool goes_on(const struct partial *p, struct instant now,
                    uint8_t sequence, const struct piece *piece)
{
    if (!p->open || p->sequence != sequence || p->unit != piece->unit ||
        p->have >> piece->number & 1 ||
        instant_reached(
            now, instant_after(p->began, duration_seconds(REASSEMBLY_SECONDS))))
        return false;
    if (piece->is_last)
        return p->last == NOT_KNOWN && p->have >> piece->number == 0;
    return piece->number < p->last;
}

static void store(struct partial *p, const struct piece *piece)
{
    size_t at = (size_t)piece->number * piece->unit;
    memcpy(p->bytes + at, piece->bytes.data, piece->bytes.size);
    p->have |= UINT32_C(1) << piece->number;
    if (piece->is_last) {
        p->last = piece->number;
        p->total = (uint16_t)(at + piece->bytes.size);
    }
}

static bool is_whole(const struct partial *p)
{
    return p->last != NOT_KNOWN &&
           p->have == UINT32_MAX >> (NUMBER_MAX - p->last);
}

static void hand_out(struct reassembly *r, struct partial *p,
                     struct burst *burst, struct datagram *d)
{
    uint8_t *place = burst_place(burst);
    if (!place) {
        give_up(r, p);
        r->lost--; /* the datagram counts by its own drop reason */
        d->drop = DROP_DATA_FRAGMENT_LOST;
        return;
    }
    memcpy(place, p->bytes, p->total);
    d->data = place;
    d->size = d->inner_size = p->total;
    d->inner_offset = 0;
    p->open = false;
}

void reassembly_take(struct reassembly *r, struct instant now,
                     const struct fragment_header *h, struct burst *burst,
                     struct datagram *d)
{
    const struct piece piece = {
        .is_last = h->type == FRAGMENT_LAST,
        .number = h->number,
        .unit = h->type == FRAGMENT_LAST ? h->size : d->inner_size,
        .bytes = bytes_of(d->data + d->inner_offset, d->inner_size),
    };
    d->inner_size = 0;
    if (!is_sound(&piece)) {
        d->drop = DROP_DATA_FRAGMENT;
        return;
    }
    advance(r, h->sequence);
    struct partial *p = &r->partials[h->sequence % REASSEMBLY_PACKETS];
    if (!goes_on(p, now, h->sequence, &piece)) {
        give_up(r, p);
        p->open = true;
        p->sequence = h->sequence;
        p->last = NOT_KNOWN;
        p->unit = piece.unit;
        p->have = 0;
        p->began = now;
    }
    store(p, &piece);
    if (is_whole(p))
        hand_out(r, p, burst, d);
}
