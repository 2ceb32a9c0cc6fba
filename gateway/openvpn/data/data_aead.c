#include "gateway/openvpn/data/data_aead.h"

#include "gateway/base/secret.h"

#include <assert.h>
#include <stdlib.h>

static struct data_aead *of(struct data_channel *c)
{
    static_assert(offsetof(struct data_aead, channel) == 0, "comes first");
    return (struct data_aead *)c;
}

/* The job for a packet whose header, of `header_size`, and number stand in
 * `data` already. */
static void fill_job(struct aead_job *job, uint8_t *data, size_t header_size,
                     uint32_t size, const uint8_t iv[DATA_AEAD_IV_SIZE])
{
    uint8_t *id = data + header_size;
    /* DATA_V1 leaves its opcode unauthenticated */
    bool v1 = header_size == DATA_V1_HEADER_SIZE;
    job->associated = v1 ? id : data;
    job->associated_size =
        (uint16_t)((v1 ? 0 : header_size) + DATA_AEAD_ID_SIZE);
    job->tag = id + DATA_AEAD_ID_SIZE;
    job->data = id + DATA_AEAD_OVERHEAD;
    job->size = size;
    memcpy(job->nonce, id, DATA_AEAD_ID_SIZE);
    memcpy(job->nonce + DATA_AEAD_ID_SIZE, iv, DATA_AEAD_IV_SIZE);
}

static void seal_batch(struct data_aead *a)
{
    aead_seal(a->send, a->batch.jobs, a->batch.count);
    a->batch.count = 0;
}

static void seal(struct data_channel *c, struct burst *burst)
{
    struct data_aead *a = of(c);
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (!data_functions_wanted(d))
            continue;
        if (a->last_id == UINT32_MAX || data_usage_spent(&a->sent)) {
            d->drop = DROP_SEAL_LIMIT;
            continue;
        }
        assert(d->inner_offset == c->layout.head &&
               d->size == d->inner_offset + d->inner_size);
        memcpy(d->data, c->header, c->header_size);
        store_u32(d->data + c->header_size, ++a->last_id);
        fill_job(data_batch_add(&a->batch, d), d->data, c->header_size,
                 d->inner_size, a->send_iv);
        data_usage_add(&a->sent, d->inner_size);
        data_functions_count(c, d);
        if (data_batch_full(&a->batch))
            seal_batch(a);
    }
    seal_batch(a);
}

/* An authentic packet is checked against the window, and only then believed. */
static void open_batch(struct data_aead *a, struct instant now)
{
    struct data_batch *b = &a->batch;
    aead_open(a->receive, b->jobs, b->count);
    for (size_t i = 0; i < b->count; i++) {
        struct datagram *d = b->datagrams[i];
        const struct aead_job *job = &b->jobs[i];
        if (!job->ok) {
            data_usage_failed(&a->received);
            d->drop = DROP_DATA_AUTH;
        } else if (!replay_window_accept(&a->seen, now, load_u32(job->nonce))) {
            d->drop = DROP_DATA_REPLAY;
        } else {
            data_usage_add(&a->received, job->size);
            data_functions_opened(&a->channel, d, job->data, job->size);
        }
    }
    b->count = 0;
}

static void open(struct data_channel *c, struct instant now,
                 struct datagram *datagrams, size_t count)
{
    struct data_aead *a = of(c);
    for (size_t i = 0; i < count; i++) {
        struct datagram *d = &datagrams[i];
        if (d->drop != DROP_NONE)
            continue;
        size_t header = d->size > 0 ? data_packet_header_size(d->data[0]) : 0;
        /* there is no packet without content */
        if (!header || d->size <= header + DATA_AEAD_OVERHEAD) {
            d->drop = DROP_DATA_MALFORMED;
            continue;
        }
        if (data_usage_forged(&a->received)) {
            d->drop = DROP_DATA_AUTH;
            continue;
        }
        fill_job(data_batch_add(&a->batch, d), d->data, header,
                 (uint32_t)(d->size - header - DATA_AEAD_OVERHEAD),
                 a->receive_iv);
        if (data_batch_full(&a->batch))
            open_batch(a, now);
    }
    open_batch(a, now);
}

static bool exhausted(const struct data_channel *c)
{
    const struct data_aead *a = (const struct data_aead *)c;
    return a->last_id >= DATA_FUNCTIONS_ID_HIGH || data_usage_high(&a->sent) ||
           data_usage_high(&a->received);
}

static const char *library(const struct data_channel *c)
{
    return aead_library_name(((const struct data_aead *)c)->send);
}

static void destroy(struct data_channel *c)
{
    struct data_aead *a = of(c);
    aead_free(a->send);
    aead_free(a->receive);
    replay_window_clear(&a->seen);
    secret_wipe(a, sizeof *a);
    free(a);
}

static const struct data_functions functions = {
    .destroy = destroy,
    .seal = seal,
    .open = open,
    .exhausted = exhausted,
    .library = library,
};

struct data_channel *data_aead_new(const struct data_channel_options *o,
                                   const struct key_material *material)
{
    struct data_aead *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    struct key_direction send = key_material_send(material, o->role);
    struct key_direction receive = key_material_receive(material, o->role);
    data_functions_init(&a->channel, &functions, o);
    a->channel.layout.head =
        (uint16_t)(a->channel.header_size + DATA_AEAD_OVERHEAD);
    a->send = aead_new(o->library, o->cipher, send.cipher);
    a->receive = aead_new(o->library, o->cipher, receive.cipher);
    data_usage_init(&a->sent, o->cipher);
    data_usage_init(&a->received, o->cipher);
    memcpy(a->send_iv, send.hmac, sizeof a->send_iv);
    memcpy(a->receive_iv, receive.hmac, sizeof a->receive_iv);
    bool ok =
        replay_window_init(&a->seen, o->replay_packets, o->replay_seconds);
    if (!ok || !a->send || !a->receive) {
        destroy(&a->channel);
        return NULL;
    }
    return &a->channel;
}
