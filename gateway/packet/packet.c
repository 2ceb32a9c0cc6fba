#include "gateway/packet/packet.h"

#include <assert.h>
#include <stdlib.h>

bool packet_batch_init(struct packet_batch *batch, uint16_t capacity,
                       uint32_t buffer_size)
{
    assert(buffer_size == 0 || buffer_size > PACKET_HEADROOM);
    *batch = (struct packet_batch){
        .packets = calloc(capacity, sizeof *batch->packets),
        .capacity = capacity,
        .buffer_size = buffer_size,
    };
    if (buffer_size)
        batch->memory = malloc((size_t)capacity * buffer_size);
    if (!batch->packets || (buffer_size && !batch->memory)) {
        packet_batch_clear(batch);
        return false;
    }
    return true;
}

void packet_batch_clear(struct packet_batch *batch)
{
    free(batch->packets);
    free(batch->memory);
    *batch = (struct packet_batch){0};
}

struct packet *packet_batch_add(struct packet_batch *batch)
{
    if (batch->count == batch->capacity)
        return NULL;
    struct packet *p = &batch->packets[batch->count];
    *p = (struct packet){0};
    if (batch->memory) {
        p->data = batch->memory + (size_t)batch->count * batch->buffer_size +
                  PACKET_HEADROOM;
        p->headroom = PACKET_HEADROOM;
    }
    batch->count++;
    return p;
}
