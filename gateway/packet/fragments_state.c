#include "gateway/packet/fragments_state.h"

/* --- Chunks -------------------------------------------------------------- */

uint8_t *fragments_state_memory_of(const struct fragments *f, uint16_t chunk)
{
    return f->memory + (size_t)chunk * FRAGMENTS_CHUNK_SIZE;
}

void fragments_state_give_back(struct fragments *f, uint16_t chunk)
{
    f->chunks[chunk].next = f->free;
    f->free = chunk;
    f->free_count++;
}

uint16_t fragments_state_take_chunk(struct fragments *f, struct held *h)
{
    uint16_t chunk = f->free;
    f->free = f->chunks[chunk].next;
    f->free_count--;
    f->chunks[chunk] = (struct chunk){.next = FRAGMENTS_NONE};
    f->shares[h->share].chunks++;
    h->chunk_count++;
    return chunk;
}

void fragments_state_let_go(struct fragments *f, struct held *h)
{
    f->shares[h->share].chunks =
        (uint16_t)(f->shares[h->share].chunks - h->chunk_count);
    h->chunk_count = 0;
    memset(h->chunks, 0xff, sizeof h->chunks);
}

void fragments_state_clear(struct fragments *f, struct held *h)
{
    for (size_t i = 0; i < PACKET_CHUNKS; i++)
        if (h->chunks[i] != FRAGMENTS_NONE)
            fragments_state_give_back(f, h->chunks[i]);
    fragments_state_let_go(f, h);
}

/* --- Packets ------------------------------------------------------------- */

static uint16_t place_of(const struct fragments *f, const struct held *h)
{
    return (uint16_t)(h - f->held);
}

static void append(struct fragments *f, struct held *h, uint16_t share)
{
    struct share *s = &f->shares[share];
    h->share = share;
    h->next = FRAGMENTS_NONE;
    h->previous = s->last;
    if (s->last == FRAGMENTS_NONE)
        s->first = place_of(f, h);
    else
        f->held[s->last].next = place_of(f, h);
    s->last = place_of(f, h);
    s->packets++;
    s->chunks = (uint16_t)(s->chunks + h->chunk_count);
}

static void detach(struct fragments *f, struct held *h)
{
    struct share *s = &f->shares[h->share];
    if (h->previous == FRAGMENTS_NONE)
        s->first = h->next;
    else
        f->held[h->previous].next = h->next;
    if (h->next == FRAGMENTS_NONE)
        s->last = h->previous;
    else
        f->held[h->next].previous = h->previous;
    s->packets--;
    s->chunks = (uint16_t)(s->chunks - h->chunk_count);
}

struct held *fragments_state_add(struct fragments *f, uint16_t share)
{
    struct held *h = &f->held[f->free_place];
    f->free_place = h->next;
    f->count++;
    *h = (struct held){.present = true};
    memset(h->chunks, 0xff, sizeof h->chunks);
    append(f, h, share);
    return h;
}

void fragments_state_end(struct fragments *f, struct held *h)
{
    fragments_state_clear(f, h);
    detach(f, h);
    h->present = false;
    h->next = f->free_place;
    f->free_place = place_of(f, h);
    f->count--;
}

/* --- Shares -------------------------------------------------------------- */

static uint32_t weight(const struct share *s)
{
    return (uint32_t)s->packets + s->chunks;
}

/* The share that holds most, but for a packet; or FRAGMENTS_NONE. */
static uint16_t heaviest(const struct fragments *f, const struct held *except)
{
    uint16_t heaviest = FRAGMENTS_NONE;
    for (uint16_t i = 0; i < f->share_count; i++) {
        const struct share *s = &f->shares[i];
        bool has_others = s->packets > (except && except->share == i);
        if (has_others && (heaviest == FRAGMENTS_NONE ||
                           weight(s) > weight(&f->shares[heaviest])))
            heaviest = i;
    }
    return heaviest;
}

/* The weight of all packets of the same ends in a share, told with the oldest
 * of them. */
struct weighed {
    struct held *oldest;
    uint32_t weight;
};

static void weigh(struct held *h, struct weighed *all, size_t *count)
{
    size_t i = 0;
    while (i < *count &&
           memcmp(all[i].oldest->ends, h->ends, sizeof h->ends) != 0)
        i++;
    if (i == *count)
        all[(*count)++] = (struct weighed){.oldest = h};
    all[i].weight += 1U + h->chunk_count;
}

/* Ends the oldest packet of those ends that hold most of a share; false where
 * there is none. */
static bool make_way(struct fragments *f, uint16_t share,
                     const struct held *except)
{
    struct weighed all[FRAGMENTS_SHARE_PACKETS], most = {0};
    size_t count = 0;
    if (share == FRAGMENTS_NONE)
        return false;
    for (uint16_t i = f->shares[share].first; i != FRAGMENTS_NONE;
         i = f->held[i].next)
        if (&f->held[i] != except)
            weigh(&f->held[i], all, &count);
    for (size_t i = 0; i < count; i++)
        if (all[i].weight > most.weight)
            most = all[i];
    if (!most.oldest)
        return false;
    f->shares[share].gave_way += most.oldest->fragments;
    f->some_gave_way = true;
    fragments_state_end(f, most.oldest);
    return true;
}

static void keep_below_limit(struct fragments *f, uint16_t share,
                             const struct held *except)
{
    while (f->shares[share].packets >= FRAGMENTS_SHARE_PACKETS &&
           make_way(f, share, except))
        ;
}

void fragments_state_make_room_for_packet(struct fragments *f, uint16_t share)
{
    keep_below_limit(f, share, NULL);
    if (f->count == FRAGMENTS_PACKETS)
        (void)make_way(f, heaviest(f, NULL), NULL);
}

bool fragments_state_make_room(struct fragments *f, const struct held *h,
                               uint32_t chunks)
{
    while (f->shares[h->share].chunks + chunks > FRAGMENTS_SHARE_CHUNKS)
        if (!make_way(f, h->share, h))
            return false;
    while (f->free_count < chunks)
        if (!make_way(f, heaviest(f, h), h))
            return false;
    return true;
}

void fragments_state_move(struct fragments *f, struct held *h, uint16_t share)
{
    keep_below_limit(f, share, h);
    detach(f, h);
    append(f, h, share);
}
