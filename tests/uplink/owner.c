#include "tests/uplink/owner.h"

#include <stdio.h>

#include "tests/turn.h"

static void connected(void *context, struct instant now)
{
    struct owner *o = context;
    (void)now;
    o->connected++;
    if (o->close_when_connected)
        owner_close(o);
}

static void failed(void *context, struct instant now, const char *why)
{
    struct owner *o = context;
    (void)now;
    o->failed++;
    snprintf(o->why, sizeof o->why, "%s", why);
    if (o->close_when_failed)
        owner_close(o);
}

static void received(void *context, struct instant now, struct burst *burst)
{
    struct owner *o = context;
    (void)now;
    o->received_calls++;
    o->source = burst->source;
    if (o->close_when_received)
        owner_close(o);
    for (uint16_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        assert_int_equal(d->drop, DROP_NONE);
        d->proven = o->proves;
        o->ecn = d->ecn;
        assert_true(o->count < OWNER_RECEIVED_MAX);
        assert_true(o->total + d->size <= OWNER_BYTES_MAX);
        o->sizes[o->count++] = d->size;
        memcpy(o->bytes + o->total, d->data, d->size);
        o->total += d->size;
    }
}

void owner_init(struct owner *o)
{
    *o = (struct owner){.loop = loop_new()};
    o->callbacks = (struct uplink_owner){.context = o,
                                         .connected = connected,
                                         .failed = failed,
                                         .received = received};
    o->bytes = malloc(OWNER_BYTES_MAX);
    o->burst = malloc(sizeof *o->burst);
    assert_true(o->loop && o->bytes && o->burst);
    assert_true(burst_init(o->burst, OWNER_BURST_SIZE));
}

void owner_clear(struct owner *o)
{
    if (o->uplink)
        owner_close(o);
    loop_free(o->loop);
    burst_clear(o->burst);
    free(o->burst);
    free(o->bytes);
}

void owner_turn(struct owner *o)
{
    turn_for(o->loop, 10);
}

void owner_close(struct owner *o)
{
    o->uplink->kind->close(o->uplink);
    o->uplink = NULL;
}

void owner_send(struct owner *o)
{
    o->uplink->kind->send(o->uplink, o->burst);
}

struct datagram *owner_add(struct owner *o, uint16_t size)
{
    static const struct burst_layout bare;
    uint8_t number = (uint8_t)o->burst->count;
    struct datagram *d = burst_reserve(o->burst, &bare, size);
    assert_non_null(d);
    memset(d->data, number, size);
    return d;
}
