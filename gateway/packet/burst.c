#include "gateway/packet/burst.h"

#include <stdlib.h>

bool burst_init(struct burst *burst, uint32_t capacity)
{
    *burst = (struct burst){0};
    if (capacity == 0)
        return true;
    burst->memory = malloc(capacity);
    if (!burst->memory)
        return false;
    burst->capacity = capacity;
    return true;
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

struct datagram *burst_reserve(struct burst *burst,
                               const struct burst_layout *layout,
                               uint32_t inner_size)
{
    uint32_t sealed = burst_sealed_size(layout, inner_size);
    if (inner_size > UINT16_MAX || sealed > UINT16_MAX ||
        sealed > burst->capacity - burst->used)
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

bool burst_add_view(struct burst *burst, uint8_t *data, uint16_t size)
{
    return append(burst, data, size) != NULL;
}
