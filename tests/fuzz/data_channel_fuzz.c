/*
 * A client and a server with a data channel between them, and an attacker:
 * the input says which format, and then step by step what happens. Only what
 * was sealed may come out, once, and unchanged.
 */
#include "gateway/openvpn/data/data_epoch.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { KEPT = 8 };

static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM",
                                      "CHACHA20-POLY1305", "AES-128-CBC"};

struct kept {
    uint8_t *data;
    uint16_t size;
    bool delivered;
};

struct world {
    struct data_channel *client, *server;
    bool epoch, cbc, static_key;
    struct burst out, in;
    struct kept kept[KEPT];
    size_t next;
};

static void some_bytes(void *context, uint8_t *out, size_t size)
{
    uint8_t *state = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (*state)++;
}

static void begin(struct world *w, uint8_t kind)
{
    static uint8_t random;
    struct key_material m;
    struct data_channel_options o = {
        .library = kind & 16 ? AEAD_PORTABLE : AEAD_FASTEST,
        .key_id = 1,
        .peer_id = kind & 4 ? PEER_ID_NONE : 7,
        .replay_packets = 64,
        .replay_seconds = 15,
        .digest = "SHA256",
        .random = some_bytes,
        .random_context = &random,
    };
    check(data_channel_choose(&o, ciphers[kind & 3]));
    w->cbc = o.cbc_key_size > 0;
    o.static_key = w->static_key = kind & 32 && w->cbc;
    o.unix_time = 2000000000;
    w->epoch = o.epoch = kind & 8 && !w->cbc && o.peer_id != PEER_ID_NONE;
    for (size_t i = 0; i < sizeof m.bytes; i++)
        m.bytes[i] = (uint8_t)(i + 1);
    w->client = data_channel_new(&o, &m);
    o.role = OPENVPN_SERVER;
    w->server = data_channel_new(&o, &m);
    check(w->client && w->server && burst_init(&w->out, 1024));
}

static void end(struct world *w)
{
    data_channel_free(w->client);
    data_channel_free(w->server);
    burst_clear(&w->out);
    for (size_t i = 0; i < KEPT; i++)
        free(w->kept[i].data);
}

/* Opens an exact copy, which the caller frees. */
static const struct datagram *deliver(struct world *w, struct bytes wire)
{
    uint8_t *copy = malloc(wire.size ? wire.size : 1);
    if (wire.size)
        memcpy(copy, wire.data, wire.size);
    burst_reset(&w->in);
    check(burst_add_view(&w->in, copy, (uint16_t)wire.size));
    data_channel_open(w->server, (struct instant){0}, &w->in, 0, 1);
    const struct datagram *d = &w->in.datagrams[0];
    check(d->inner_offset + d->inner_size <= wire.size);
    check(d->drop == DROP_NONE ? d->inner_size > 0 : d->inner_size == 0);
    return d;
}

static void deliver_raw(struct world *w, struct bytes wire)
{
    const struct datagram *d = deliver(w, wire);
    check(d->drop != DROP_NONE);
    free(d->data);
}

static struct kept *seal(struct world *w, struct bytes inner)
{
    struct burst_layout layout = data_channel_layout(w->client);
    burst_reset(&w->out);
    struct datagram *d = burst_reserve(&w->out, &layout, (uint32_t)inner.size);
    memcpy(d->data + d->inner_offset, inner.data, inner.size);
    data_channel_seal(w->client, &w->out);
    check(d->drop == DROP_NONE);
    struct kept *k = &w->kept[w->next++ % KEPT];
    free(k->data);
    *k = (struct kept){malloc(d->size), d->size, false};
    memcpy(k->data, d->data, d->size);
    return k;
}

static void deliver_sealed(struct world *w, struct bytes inner)
{
    struct kept *k = seal(w, inner);
    const struct datagram *d = deliver(w, bytes_of(k->data, k->size));
    /* the client may have moved on by more epochs than the server knows */
    check(d->drop == DROP_NONE || (w->epoch && d->drop == DROP_DATA_NO_KEY));
    if (d->drop == DROP_NONE)
        check(d->inner_size == inner.size &&
              !memcmp(d->data + d->inner_offset, inner.data, inner.size));
    k->delivered = true;
    free(d->data);
}

static void deliver_changed(struct world *w, struct bytes inner, size_t at,
                            uint8_t flip)
{
    struct kept *k = seal(w, inner);
    at %= k->size;
    size_t header = w->static_key ? 0 : data_packet_header_size(k->data[0]);
    /* nothing authenticates the header here */
    if (at < header && (w->cbc || header == DATA_V1_HEADER_SIZE))
        return;
    k->data[at] ^= flip ? flip : 1;
    deliver_raw(w, bytes_of(k->data, k->size));
    k->data[at] ^= flip ? flip : 1;
}

static void deliver_again(struct world *w, size_t which)
{
    struct kept *k = &w->kept[which % KEPT];
    if (!k->data)
        return;
    const struct datagram *d = deliver(w, bytes_of(k->data, k->size));
    check(!k->delivered || d->drop != DROP_NONE);
    k->delivered = true;
    free(d->data);
}

static struct bytes read_some(struct reader *r)
{
    size_t size = read_u8(r) + (size_t)1;
    return read_bytes(r, size < r->left ? size : r->left);
}

static void step(struct world *w, struct reader *r)
{
    uint8_t what = read_u8(r);
    struct bytes some;
    switch (what & 7) {
    case 0:
    case 1:
        deliver_raw(w, read_some(r));
        break;
    case 2:
    case 3:
        some = read_some(r);
        if (some.size > 0)
            deliver_sealed(w, some);
        break;
    case 4:
        some = read_some(r);
        if (some.size > 1)
            deliver_changed(w, some, some.data[0], some.data[1]);
        break;
    case 5:
        deliver_again(w, what >> 3);
        break;
    case 6:
        some = read_some(r);
        if (some.size > 0)
            (void)seal(w, some); /* lost, or delivered again later */
        break;
    default:
        if (w->epoch)
            ((struct data_epoch *)w->client)->counter = DATA_EPOCH_COUNTER_MAX;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(bytes_of(data, size));
    struct world w = {0};
    begin(&w, read_u8(&r));
    while (r.left > 0)
        step(&w, &r);
    end(&w);
    return 0;
}
