#include "gateway/uplink/tcp_framing.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

static_assert(2 * BURST_DATAGRAMS_MAX <= IOV_MAX, "a burst is one system call");

/* --- In ------------------------------------------------------------------ */

bool tcp_framing_input_init(struct tcp_framing_input *in, size_t capacity)
{
    assert(capacity >= TCP_FRAMING_LENGTH_SIZE + TCP_FRAMING_PACKET_MAX);
    *in = (struct tcp_framing_input){.memory = malloc(capacity),
                                     .capacity = capacity};
    return in->memory != NULL;
}

void tcp_framing_input_clear(struct tcp_framing_input *in)
{
    free(in->memory);
    *in = (struct tcp_framing_input){0};
}

uint8_t *tcp_framing_space(struct tcp_framing_input *in, size_t *size)
{
    size_t left = in->end - in->start;
    if (in->start > 0 && left > 0)
        memmove(in->memory, in->memory + in->start, left);
    in->start = 0;
    in->end = left;
    *size = in->capacity - left;
    /* After NEED_MORE less than one packet is left; after BROKEN nobody
     * receives any more. */
    assert(*size > 0);
    return in->memory + left;
}

void tcp_framing_received(struct tcp_framing_input *in, size_t size)
{
    assert(size <= in->capacity - in->end);
    in->end += size;
}

enum tcp_framing_result tcp_framing_next(struct tcp_framing_input *in,
                                         struct burst *burst)
{
    uint16_t before = burst->count;
    while (in->end - in->start >= TCP_FRAMING_LENGTH_SIZE) {
        uint8_t *packet = in->memory + in->start;
        size_t size = load_u16(packet);
        if (size == 0 || size > TCP_FRAMING_PACKET_MAX) {
            if (burst->count == before)
                return TCP_FRAMING_BROKEN;
            break; /* first what stands in front of it */
        }
        if (in->end - in->start - TCP_FRAMING_LENGTH_SIZE < size ||
            !burst_add_view(burst, packet + TCP_FRAMING_LENGTH_SIZE,
                            (uint16_t)size))
            break;
        in->start += TCP_FRAMING_LENGTH_SIZE + size;
    }
    return burst->count > before ? TCP_FRAMING_PACKETS : TCP_FRAMING_NEED_MORE;
}

/* --- Out ----------------------------------------------------------------- */

static void drop(struct datagram *d, enum drop reason,
                 struct drop_counters *drops)
{
    d->drop = (uint8_t)reason;
    drop_count(drops, reason);
}

void tcp_framing_gather(struct burst *burst, struct drop_counters *drops,
                        struct tcp_framing_parts *out)
{
    out->count = 0;
    out->size = 0;
    for (uint16_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        uint8_t *length = out->lengths[i];
        if (d->drop == DROP_NONE && d->size == 0)
            drop(d, DROP_UPLINK_ERROR, drops);
        if (d->drop != DROP_NONE)
            continue;
        store_u16(length, d->size);
        out->parts[out->count++] =
            (struct iovec){length, TCP_FRAMING_LENGTH_SIZE};
        out->parts[out->count++] = (struct iovec){d->data, d->size};
        out->size += TCP_FRAMING_LENGTH_SIZE + (size_t)d->size;
    }
}

bool tcp_framing_queue_init(struct tcp_framing_queue *q, size_t capacity,
                            size_t limit)
{
    assert(capacity >= TCP_FRAMING_QUEUE_LEAST && limit <= capacity);
    *q = (struct tcp_framing_queue){
        .memory = malloc(capacity), .capacity = capacity, .limit = limit};
    return q->memory != NULL;
}

void tcp_framing_queue_clear(struct tcp_framing_queue *q)
{
    free(q->memory);
    *q = (struct tcp_framing_queue){0};
}

/* The caller knows that there is room. */
static void append(struct tcp_framing_queue *q, const uint8_t *data,
                   size_t size)
{
    if (q->capacity - q->start - q->size < size) {
        memmove(q->memory, q->memory + q->start, q->size);
        q->start = 0;
    }
    assert(q->capacity - q->start - q->size >= size);
    memcpy(q->memory + q->start + q->size, data, size);
    q->size += size;
}

/* A datagram behind its length, without the first `skipped` bytes of both. */
static void append_framed(struct tcp_framing_queue *q, const struct datagram *d,
                          size_t skipped)
{
    uint8_t length[TCP_FRAMING_LENGTH_SIZE];
    store_u16(length, d->size);
    for (; skipped < TCP_FRAMING_LENGTH_SIZE; skipped++)
        append(q, length + skipped, 1);
    skipped -= TCP_FRAMING_LENGTH_SIZE;
    append(q, d->data + skipped, d->size - skipped);
}

void tcp_framing_keep(struct tcp_framing_queue *q, struct burst *burst,
                      size_t sent, struct drop_counters *drops)
{
    assert(sent == 0 || q->size == 0);
    for (uint16_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        size_t framed = TCP_FRAMING_LENGTH_SIZE + (size_t)d->size;
        if (d->drop != DROP_NONE)
            continue;
        if (sent >= framed) {
            sent -= framed;
            continue;
        }
        size_t limit = d->inner_size > 0 ? q->limit : q->capacity;
        if (sent > 0 || (q->size < limit && limit - q->size >= framed))
            append_framed(q, d, sent);
        else
            drop(d, DROP_UPLINK_BUSY, drops);
        sent = 0;
    }
}

struct bytes tcp_framing_queued(const struct tcp_framing_queue *q)
{
    /* Memory there is only while something waits. */
    return bytes_of(q->size ? q->memory + q->start : NULL, q->size);
}

void tcp_framing_sent(struct tcp_framing_queue *q, size_t size)
{
    assert(size <= q->size);
    q->start += size;
    q->size -= size;
    if (q->size == 0)
        q->start = 0;
}
