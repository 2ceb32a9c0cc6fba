#include "gateway/openvpn/data/data_epoch.h"

#include "gateway/base/secret.h"

#include <assert.h>
#include <stdlib.h>

static struct data_epoch *of(struct data_channel *c)
{
    static_assert(offsetof(struct data_epoch, channel) == 0, "comes first");
    return (struct data_epoch *)c;
}

static void fill_job(struct aead_job *job, const struct data_epoch_key *key,
                     uint8_t *data, uint32_t size)
{
    const uint8_t *id = data + DATA_V2_HEADER_SIZE;
    job->associated = data;
    job->associated_size = DATA_EPOCH_HEAD;
    job->data = data + DATA_EPOCH_HEAD;
    job->size = size;
    job->tag = job->data + size;
    memcpy(job->nonce, key->mask, sizeof job->nonce);
    for (size_t i = 0; i < DATA_EPOCH_ID_SIZE; i++)
        job->nonce[i] ^= id[i];
}

/* --- Keys ---------------------------------------------------------------- */

static void key_clear(struct data_epoch_key *key)
{
    aead_free(key->aead);
    secret_wipe(key, sizeof *key);
}

static bool key_init(const struct data_epoch *e, struct data_epoch_key *key,
                     const struct epoch_key *chain)
{
    *key = (struct data_epoch_key){.epoch = chain->epoch};
    data_usage_init(&key->usage, e->cipher);
    key->aead = epoch_key_derive(chain, e->library, e->cipher, key->mask);
    return key->aead;
}

/* --- Sending ------------------------------------------------------------- */

/* To `epoch` or beyond. Packet numbers begin anew, so never to a key that was
 * used before. */
static void send_in(struct data_epoch *e, uint16_t epoch)
{
    if (e->send_chain.epoch >= epoch)
        return;
    while (e->send_chain.epoch < epoch)
        epoch_key_iterate(&e->send_chain);
    key_clear(&e->send);
    /* if this fails, send.aead is NULL and nothing is sent any more */
    (void)key_init(e, &e->send, &e->send_chain);
    e->counter = 0;
}

static bool send_spent(const struct data_epoch *e)
{
    return data_usage_spent(&e->send.usage) ||
           e->counter == DATA_EPOCH_COUNTER_MAX;
}

/* The peer does not move on although its key is used up: being one epoch
 * ahead asks it to. */
static bool peer_is_to_move(const struct data_epoch *e)
{
    return e->send.epoch == e->current.epoch &&
           (data_usage_spent(&e->current.usage) ||
            e->current.usage.failed >= DATA_USAGE_FAILED_HIGH);
}

static void seal_batch(struct data_epoch *e)
{
    if (e->batch.count > 0)
        aead_seal(e->send.aead, e->batch.jobs, e->batch.count);
    e->batch.count = 0;
}

/* False when there is no key to send with. */
static bool prepare_send(struct data_epoch *e)
{
    if ((send_spent(e) || peer_is_to_move(e)) &&
        e->send_chain.epoch < UINT16_MAX) {
        seal_batch(e);
        send_in(e, (uint16_t)(e->send_chain.epoch + 1));
    }
    return e->send.aead && !send_spent(e);
}

static void seal(struct data_channel *c, struct burst *burst)
{
    struct data_epoch *e = of(c);
    for (size_t i = 0; i < burst->count; i++) {
        struct datagram *d = &burst->datagrams[i];
        if (!data_functions_wanted(d))
            continue;
        if (!prepare_send(e)) {
            d->drop = DROP_SEAL_LIMIT;
            continue;
        }
        assert(d->inner_offset == DATA_EPOCH_HEAD &&
               d->size == d->inner_offset + d->inner_size + AEAD_TAG_SIZE);
        memcpy(d->data, c->header, DATA_V2_HEADER_SIZE);
        store_u64(d->data + DATA_V2_HEADER_SIZE,
                  (uint64_t)e->send.epoch << 48 | ++e->counter);
        fill_job(data_batch_add(&e->batch, d), &e->send, d->data,
                 d->inner_size);
        data_usage_add(&e->send.usage, d->inner_size);
        data_functions_count(c, d);
        if (data_batch_full(&e->batch))
            seal_batch(e);
    }
    seal_batch(e);
}

/* --- Receiving ----------------------------------------------------------- */

/* Derives a future key when a packet first claims it, and keeps it, so that
 * forged packets cost no more than that once. */
static struct data_epoch_key *find_future(struct data_epoch *e, uint16_t epoch)
{
    struct data_epoch_key *key = &e->future[epoch - e->current.epoch - 1];
    if (key->aead)
        return key;
    struct epoch_key chain = e->receive_chain;
    while (chain.epoch < epoch)
        epoch_key_iterate(&chain);
    bool ok = key_init(e, key, &chain);
    secret_wipe(&chain, sizeof chain);
    return ok ? key : NULL;
}

/* NULL if packets of this epoch cannot be received. */
static struct data_epoch_key *find_key(struct data_epoch *e, uint16_t epoch)
{
    if (epoch == e->current.epoch)
        return &e->current;
    if (epoch != 0 && epoch == e->retiring.epoch)
        return &e->retiring;
    if (epoch > e->current.epoch &&
        epoch <= e->current.epoch + DATA_EPOCH_FUTURE &&
        epoch <= DATA_EPOCH_LAST)
        return find_future(e, epoch);
    return NULL;
}

/* A packet has authenticated under a future key: it becomes the current one,
 * and this end sends in no earlier epoch. */
static void move_to(struct data_epoch *e, struct data_epoch_key *key)
{
    size_t steps = (size_t)(key - e->future) + 1;
    key_clear(&e->retiring);
    e->retiring = e->current;
    e->current = *key;
    for (size_t i = 0; i < steps - 1; i++)
        key_clear(&e->future[i]);
    memmove(e->future, e->future + steps,
            (DATA_EPOCH_FUTURE - steps) * sizeof *e->future);
    memset(e->future + DATA_EPOCH_FUTURE - steps, 0, steps * sizeof *e->future);
    while (e->receive_chain.epoch < e->current.epoch)
        epoch_key_iterate(&e->receive_chain);

    struct replay_window unused = e->retiring_seen;
    e->retiring_seen = e->current_seen;
    e->current_seen = unused;
    replay_window_reset(&e->current_seen);
    send_in(e, e->current.epoch);
}

static void open_one(struct data_epoch *e, struct instant now,
                     struct data_epoch_key *key, const struct aead_job *job,
                     struct datagram *d)
{
    struct replay_window *seen =
        key == &e->retiring ? &e->retiring_seen : &e->current_seen;
    uint64_t id = load_u64(d->data + DATA_V2_HEADER_SIZE);
    if (!replay_window_accept(seen, now, id & DATA_EPOCH_COUNTER_MAX)) {
        d->drop = DROP_DATA_REPLAY;
        return;
    }
    data_usage_add(&key->usage, job->size);
    data_functions_opened(&e->channel, d, job->data, job->size);
}

static void open_batch(struct data_epoch *e, struct instant now,
                       struct data_epoch_key *key)
{
    struct data_batch *b = &e->batch;
    if (b->count > 0)
        aead_open(key->aead, b->jobs, b->count);
    for (size_t i = 0; i < b->count; i++) {
        if (!b->jobs[i].ok) {
            data_usage_failed(&key->usage);
            b->datagrams[i]->drop = DROP_DATA_AUTH;
            continue;
        }
        if (key != &e->current && key != &e->retiring) {
            move_to(e, key);
            key = &e->current;
        }
        open_one(e, now, key, &b->jobs[i], b->datagrams[i]);
    }
    b->count = 0;
}

/* Adds the datagram's job to the batch, which is opened before if it is for
 * another key; returns the key that the batch is for now. */
static struct data_epoch_key *add(struct data_epoch *e, struct instant now,
                                  struct data_epoch_key *key,
                                  struct datagram *d)
{
    uint16_t epoch = load_u16(d->data + DATA_V2_HEADER_SIZE);
    if (!key || key->epoch != epoch || data_batch_full(&e->batch)) {
        open_batch(e, now, key);
        /* keys may have moved with what the batch brought */
        key = find_key(e, epoch);
    }
    if (!key)
        d->drop = DROP_DATA_NO_KEY;
    else if (data_usage_forged(&key->usage))
        d->drop = DROP_DATA_AUTH;
    else
        fill_job(data_batch_add(&e->batch, d), key, d->data,
                 (uint32_t)(d->size - DATA_EPOCH_HEAD - AEAD_TAG_SIZE));
    return key;
}

static void open(struct data_channel *c, struct instant now,
                 struct datagram *datagrams, size_t count)
{
    struct data_epoch *e = of(c);
    struct data_epoch_key *key = NULL;
    for (size_t i = 0; i < count; i++) {
        struct datagram *d = &datagrams[i];
        if (d->drop != DROP_NONE)
            continue;
        /* there is no packet without content */
        if (d->size <= DATA_EPOCH_HEAD + AEAD_TAG_SIZE ||
            opcode_of(d->data[0]) != OPCODE_DATA_V2)
            d->drop = DROP_DATA_MALFORMED;
        else
            key = add(e, now, key, d);
    }
    open_batch(e, now, key);
}

/* --- The rest ------------------------------------------------------------ */

static bool exhausted(const struct data_channel *c)
{
    return ((const struct data_epoch *)c)->send.epoch >= DATA_EPOCH_EXHAUSTED;
}

static const char *library(const struct data_channel *c)
{
    return aead_library_name(((const struct data_epoch *)c)->current.aead);
}

static void destroy(struct data_channel *c)
{
    struct data_epoch *e = of(c);
    key_clear(&e->send);
    key_clear(&e->current);
    key_clear(&e->retiring);
    for (size_t i = 0; i < DATA_EPOCH_FUTURE; i++)
        key_clear(&e->future[i]);
    replay_window_clear(&e->current_seen);
    replay_window_clear(&e->retiring_seen);
    secret_wipe(e, sizeof *e);
    free(e);
}

static const struct data_functions functions = {
    .destroy = destroy,
    .seal = seal,
    .open = open,
    .exhausted = exhausted,
    .library = library,
};

static struct epoch_key first_of(struct key_direction d)
{
    struct epoch_key key = {.epoch = 1};
    memcpy(key.secret, d.cipher, sizeof key.secret);
    return key;
}

struct data_channel *data_epoch_new(const struct data_channel_options *o,
                                    const struct key_material *material)
{
    if (o->peer_id == PEER_ID_NONE)
        return NULL;
    struct data_epoch *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    data_functions_init(&e->channel, &functions, o);
    e->channel.layout.head = DATA_EPOCH_HEAD;
    e->channel.layout.tail = AEAD_TAG_SIZE;
    e->cipher = o->cipher;
    e->library = o->library;
    e->send_chain = first_of(key_material_send(material, o->role));
    e->receive_chain = first_of(key_material_receive(material, o->role));
    bool ok = key_init(e, &e->send, &e->send_chain);
    ok = key_init(e, &e->current, &e->receive_chain) && ok;
    ok = replay_window_init(&e->current_seen, o->replay_packets,
                            o->replay_seconds) &&
         ok;
    ok = replay_window_init(&e->retiring_seen, o->replay_packets,
                            o->replay_seconds) &&
         ok;
    if (!ok) {
        destroy(&e->channel);
        return NULL;
    }
    return &e->channel;
}
