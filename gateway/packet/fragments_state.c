#include "gateway/packet/fragments_state.h"

/* --- Chunks --------------------------------------------------------------- */

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

void fragments_state_end(struct fragments *f, struct held *h)
{
    fragments_state_clear(f, h);
    f->shares[h->share].packets--;
    h->present = false;
    f->count--;
}

/* --- Shares --------------------------------------------------------------- */

static uint32_t weight(const struct share *s)
{
    return (uint32_t)s->packets + s->chunks;
}

/* The share that holds most, but for a packet; or FRAGMENTS_NONE. */
static uint16_t heaviest(const struct fragments *f, const struct held *except)
{
    uint16_t share = FRAGMENTS_NONE;
    for (size_t i = 0; i < FRAGMENTS_PACKETS; i++) {
        const struct held *h = &f->held[i];
        if (h->present && h != except &&
            (share == FRAGMENTS_NONE ||
             weight(&f->shares[h->share]) > weight(&f->shares[share])))
            share = h->share;
    }
    return share;
}

/* Of a share the packets, but for one. */
static size_t members(struct fragments *f, uint16_t share,
                      const struct held *except,
                      struct held *out[FRAGMENTS_SHARE_PACKETS])
{
    size_t count = 0;
    for (size_t i = 0; i < FRAGMENTS_PACKETS && count < FRAGMENTS_SHARE_PACKETS;
         i++) {
        struct held *h = &f->held[i];
        if (h->present && h != except && h->share == share)
            out[count++] = h;
    }
    return count;
}

/* What the ends of a packet hold of its share. */
static uint32_t weight_of_ends(const struct held *h,
                               struct held *const *members, size_t count)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (memcmp(members[i]->ends, h->ends, sizeof h->ends) == 0)
            sum += 1U + members[i]->chunk_count;
    return sum;
}

/* Ends the oldest packet of those ends that hold most of a share; false where
 * there is none. */
static bool make_way(struct fragments *f, uint16_t share,
                     const struct held *except)
{
    struct held *all[FRAGMENTS_SHARE_PACKETS], *chosen = NULL;
    size_t count = share == FRAGMENTS_NONE ? 0 : members(f, share, except, all);
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t holds = weight_of_ends(all[i], all, count);
        if (holds > most ||
            (holds == most &&
             instant_before(all[i]->deadline, chosen->deadline))) {
            chosen = all[i];
            most = holds;
        }
    }
    if (!chosen)
        return false;
    f->shares[share].gave_way += chosen->fragments;
    f->some_gave_way = true;
    fragments_state_end(f, chosen);
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
    struct share *from = &f->shares[h->share], *to = &f->shares[share];
    keep_below_limit(f, share, h);
    from->packets--;
    from->chunks = (uint16_t)(from->chunks - h->chunk_count);
    to->packets++;
    to->chunks = (uint16_t)(to->chunks + h->chunk_count);
    h->share = share;
}
