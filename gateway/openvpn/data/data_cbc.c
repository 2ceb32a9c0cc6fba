#include "gateway/openvpn/data/data_cbc.h"

#include "gateway/base/secret.h"

#include <assert.h>
#include <stdlib.h>

enum { BLOCK = CBC_HMAC_BLOCK_SIZE };

static struct data_cbc *of(struct data_channel *c)
{
    static_assert(offsetof(struct data_cbc, channel) == 0, "comes first");
    return (struct data_cbc *)c;
}

static void add_job(struct data_cbc *c, struct datagram *d, size_t header_size)
{
    uint8_t *hmac = d->data + header_size;
    size_t overhead = header_size + c->digest_size + BLOCK;
    c->datagrams[c->count] = d;
    c->jobs[c->count++] = (struct cbc_hmac_job){
        .hmac = hmac,
        .iv = hmac + c->digest_size,
        .size = (uint32_t)(d->size - overhead),
    };
}

/* Random ivs for the whole batch at once. */
static void seal_batch(struct data_cbc *c)
{
    uint8_t iv[CBC_HMAC_BATCH_MAX][BLOCK];
    if (c->count > 0)
        c->random(c->random_context, iv[0], c->count * BLOCK);
    for (size_t i = 0; i < c->count; i++)
        memcpy(c->jobs[i].iv, iv[i], BLOCK);
    cbc_hmac_seal(c->send, c->jobs, c->count);
    c->count = 0;
}

/* packet_id in front, PKCS#7 behind: so many bytes of their own number. */
static void write_around(struct data_cbc *c, struct datagram *d)
{
    uint8_t *id = d->data + d->inner_offset - c->id_size;
    size_t end = (size_t)d->inner_offset + d->inner_size;
    size_t padding = d->size - end;
    assert(d->inner_offset == c->channel.layout.head && padding >= 1 &&
           padding <= BLOCK &&
           (c->id_size + d->inner_size + padding) % BLOCK == 0);
    memcpy(d->data, c->channel.header, c->channel.header_size);
    store_u32(id, ++c->last_id);
    if (c->static_key)
        store_u32(id + DATA_CBC_ID_SIZE, c->send_time);
    memset(d->data + end, (int)padding, padding);
}

static void seal(struct data_channel *channel, struct burst *burst)
{
    struct data_cbc *c = of(channel);
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (!data_functions_wanted(d))
            continue;
        if (c->last_id == UINT32_MAX) {
            d->drop = DROP_SEAL_LIMIT;
            continue;
        }
        write_around(c, d);
        add_job(c, d, channel->header_size);
        data_functions_count(channel, d);
        if (c->count == CBC_HMAC_BATCH_MAX)
            seal_batch(c);
    }
    seal_batch(c);
}

/* The size of what stands between packet_id and padding; 0 if it is nothing
 * or the padding is none. Its time tells nothing: the hmac was right. */
static size_t unpadded(const uint8_t *data, size_t size, size_t id_size)
{
    uint8_t padding = data[size - 1];
    if (padding < 1 || padding > BLOCK || size <= id_size + padding)
        return 0;
    for (size_t i = size - padding; i < size; i++)
        if (data[i] != padding)
            return 0;
    return size - id_size - padding;
}

static bool is_new(struct data_cbc *c, struct instant now, const uint8_t *id)
{
    if (!c->static_key)
        return replay_window_accept(&c->seen, now, load_u32(id));
    return replay_window_accept_long(&c->seen, &c->receive_time, now,
                                     load_u32(id + DATA_CBC_ID_SIZE),
                                     load_u32(id));
}

static void finish(struct data_cbc *c, struct instant now, struct datagram *d,
                   const struct cbc_hmac_job *job)
{
    const uint8_t *data = job->iv + BLOCK;
    if (!job->ok) {
        d->drop = DROP_DATA_AUTH;
        return;
    }
    size_t size = unpadded(data, job->size, c->id_size);
    if (size == 0)
        d->drop = DROP_DATA_MALFORMED;
    else if (!is_new(c, now, data))
        d->drop = DROP_DATA_REPLAY;
    else
        data_functions_opened(&c->channel, d, data + c->id_size, size);
}

static void open_batch(struct data_cbc *c, struct instant now)
{
    cbc_hmac_open(c->receive, c->jobs, c->count);
    for (size_t i = 0; i < c->count; i++)
        finish(c, now, c->datagrams[i], &c->jobs[i]);
    c->count = 0;
}

/* False if the packet does not begin with a header of the data channel's. */
static bool find_header(const struct data_cbc *c, const struct datagram *d,
                        size_t *size)
{
    *size =
        !c->static_key && d->size > 0 ? data_packet_header_size(d->data[0]) : 0;
    return c->static_key || *size > 0;
}

static void open(struct data_channel *channel, struct instant now,
                 struct datagram *datagrams, size_t count)
{
    struct data_cbc *c = of(channel);
    for (size_t i = 0; i < count; i++) {
        struct datagram *d = &datagrams[i];
        if (d->drop != DROP_NONE)
            continue;
        size_t header;
        bool found = find_header(c, d, &header);
        size_t overhead = header + c->digest_size + BLOCK;
        if (!found || d->size < overhead + BLOCK ||
            (d->size - overhead) % BLOCK != 0) {
            d->drop = DROP_DATA_MALFORMED;
            continue;
        }
        add_job(c, d, header);
        if (c->count == CBC_HMAC_BATCH_MAX)
            open_batch(c, now);
    }
    open_batch(c, now);
}

static bool exhausted(const struct data_channel *channel)
{
    return ((const struct data_cbc *)channel)->last_id >=
           DATA_FUNCTIONS_ID_HIGH;
}

static const char *library(const struct data_channel *channel)
{
    return cbc_hmac_library_name(((const struct data_cbc *)channel)->send);
}

static void destroy(struct data_channel *channel)
{
    struct data_cbc *c = of(channel);
    cbc_hmac_free(c->send);
    cbc_hmac_free(c->receive);
    replay_window_clear(&c->seen);
    secret_wipe(c, sizeof *c);
    free(c);
}

static const struct data_functions functions = {
    .destroy = destroy,
    .seal = seal,
    .open = open,
    .exhausted = exhausted,
    .library = library,
};

static struct cbc_hmac *half(const struct data_channel_options *o,
                             struct key_direction d)
{
    struct cbc_hmac_keys keys = {
        .digest = o->digest,
        .hmac = d.hmac,
        .cipher = d.cipher,
        .cipher_size = o->cbc_key_size,
    };
    return cbc_hmac_new(o->library, &keys);
}

struct data_channel *data_cbc_new(const struct data_channel_options *o,
                                  const struct key_material *material)
{
    if (!o->random || !o->digest || !cbc_hmac_digest_size(o->digest))
        return NULL;
    struct data_cbc *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    data_functions_init(&c->channel, &functions, o);
    c->static_key = o->static_key;
    c->send_time = o->unix_time;
    c->id_size = o->static_key ? DATA_CBC_LONG_ID_SIZE : DATA_CBC_ID_SIZE;
    if (o->static_key)
        c->channel.header_size = 0;
    c->digest_size = cbc_hmac_digest_size(o->digest);
    c->channel.layout = (struct burst_layout){
        .head = (uint16_t)(c->channel.header_size + c->digest_size + BLOCK +
                           c->id_size),
        .lead = c->id_size,
        .block = BLOCK,
    };
    c->random = o->random;
    c->random_context = o->random_context;
    c->send = half(o, key_material_send(material, o->role));
    c->receive = half(o, key_material_receive(material, o->role));
    bool ok =
        replay_window_init(&c->seen, o->replay_packets, o->replay_seconds);
    if (!ok || !c->send || !c->receive) {
        destroy(&c->channel);
        return NULL;
    }
    return &c->channel;
}
