#include "gateway/packet/burst.h"

#include <stdlib.h>

static bool own_memory(struct burst *burst, uint32_t capacity)
{
    burst->memory = malloc(capacity);
    burst->capacity = burst->memory ? capacity : 0;
    return burst->memory != NULL;
}

bool burst_init(struct burst *burst, uint32_t capacity)
{
    *burst = (struct burst){0};
    return capacity == 0 || own_memory(burst, capacity);
}

void burst_clear(struct burst *burst)
{
    free(burst->memory);
    *burst = (struct burst){0};
}

uint32_t burst_inner_size(const struct burst_layout *layout,
                          uint32_t sealed_size)
{
    uint32_t fixed = (uint32_t)layout->head + layout->tail;
    if (sealed_size <= fixed)
        return 0;
    uint32_t body = sealed_size - fixed;
    if (layout->limit)
        return body < layout->limit ? body - body % layout->block : body;
    if (layout->block > 1) {
        uint32_t more = (uint32_t)layout->lead + layout->trail;
        uint32_t chained = body + more;
        chained -= chained % layout->block;
        /* One byte of padding at least. */
        return chained > more ? chained - more - 1 : 0;
    }
    return body;
}

static struct datagram *append(struct burst *burst, uint8_t *data,
                               uint16_t size)
{
    if (burst->count == BURST_DATAGRAMS_MAX)
        return NULL;
    struct datagram *d = &burst->datagrams[burst->count++];
    *d = (struct datagram){.data = data, .size = size};
    return d;
}

struct burst_pieces burst_pieces_of(const struct burst_layout *layout,
                                    uint32_t inner_size)
{
    uint32_t framed = inner_size + layout->extra;
    if (layout->cut == 0 || framed <= layout->cut)
        return (struct burst_pieces){1, framed, framed};
    uint32_t most = layout->cut & ~(BURST_CUT_UNIT - 1U);
    if (most == 0)
        return (struct burst_pieces){0};
    /* Equal ones: datagrams of one size cost less. */
    uint32_t count = (framed + most - 1) / most;
    uint32_t size = (framed + count - 1) / count;
    size = (size + BURST_CUT_UNIT - 1) & ~(BURST_CUT_UNIT - 1U);
    return (struct burst_pieces){count, size, framed - (count - 1) * size};
}

/* The packet ends where its last piece is to end, so that each piece moves
 * towards the front, if at all. */
static struct datagram *reserve_pieces(struct burst *burst,
                                       const struct burst_layout *layout,
                                       uint32_t inner_size,
                                       const struct burst_pieces *pieces)
{
    uint32_t sealed = burst_sealed_size(layout, pieces->size - layout->extra);
    uint32_t end = (pieces->count - 1) * sealed;
    uint32_t last = burst_sealed_size(layout, pieces->last - layout->extra);
    if (end + last > UINT16_MAX || end + last > burst->capacity - burst->used ||
        burst->count + pieces->count > BURST_DATAGRAMS_MAX)
        return NULL;
    uint8_t *start = burst->memory + burst->used;
    struct datagram *first = &burst->datagrams[burst->count];
    for (uint32_t i = 0; i < pieces->count; i++)
        append(burst, start + i * sealed,
               (uint16_t)(i + 1 < pieces->count ? sealed : last));
    first->inner_offset = (uint16_t)(end + layout->head + pieces->last -
                                     layout->extra - inner_size);
    first->inner_size = (uint16_t)inner_size;
    burst->used += end + last;
    return first;
}

struct datagram *burst_reserve(struct burst *burst,
                               const struct burst_layout *layout,
                               uint32_t inner_size)
{
    struct burst_pieces pieces = burst_pieces_of(layout, inner_size);
    if (inner_size > UINT16_MAX || pieces.count == 0 ||
        pieces.count > BURST_PIECES_MAX)
        return NULL;
    if (pieces.count > 1)
        return reserve_pieces(burst, layout, inner_size, &pieces);
    uint32_t sealed = burst_sealed_size(layout, inner_size);
    if (sealed > UINT16_MAX || sealed > burst->capacity - burst->used)
        return NULL;
    struct datagram *d =
        append(burst, burst->memory + burst->used, (uint16_t)sealed);
    if (!d)
        return NULL;
    d->inner_offset = layout->head;
    d->inner_size = (uint16_t)inner_size;
    burst->used += sealed;
    return d;
}

uint8_t *burst_place(struct burst *burst)
{
    if (!burst->memory &&
        !own_memory(burst, BURST_DATAGRAMS_MAX * BURST_PLACE_SIZE))
        return NULL;
    if (burst->capacity - burst->used < BURST_PLACE_SIZE)
        return NULL;
    uint8_t *place = burst->memory + burst->used;
    burst->used += BURST_PLACE_SIZE;
    return place;
}

bool burst_add_view(struct burst *burst, uint8_t *data, uint16_t size)
{
    return append(burst, data, size) != NULL;
}

bool burst_is_proven(const struct burst *burst)
{
    for (uint16_t i = 0; i < burst->count; i++) {
        if (burst->datagrams[i].proven)
            return true;
    }
    return false;
}
