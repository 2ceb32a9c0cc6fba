#include "gateway/wireguard/keypair.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/secret.h"

static_assert((int)AEAD_NONCE_SIZE == 12 && (int)AEAD_TAG_SIZE == WIRE_TAG_SIZE,
              "the sizes of RFC 8439");

struct keypair *keypair_new(enum aead_library library, struct handshake *h,
                            struct instant now)
{
    struct handshake_keys keys;
    struct keypair *k = calloc(1, sizeof *k);
    if (!k) {
        handshake_clear(h);
        return NULL;
    }
    k->initiator = h->initiator;
    k->created = now;
    k->local_index = h->local_index;
    k->remote_index = h->remote_index;
    handshake_keys(h, &keys);
    k->sealing = aead_new(library, AEAD_CHACHA20_POLY1305, keys.send);
    k->opening = aead_new(library, AEAD_CHACHA20_POLY1305, keys.receive);
    secret_wipe(&keys, sizeof keys);
    if (k->sealing && k->opening)
        return k;
    keypair_free(k);
    return NULL;
}

void keypair_free(struct keypair *k)
{
    if (!k)
        return;
    aead_free(k->sealing);
    aead_free(k->opening);
    secret_wipe(k, sizeof *k);
    free(k);
}

struct duration keypair_age(const struct keypair *k, struct instant now)
{
    return instant_since(now, k->created);
}

bool keypair_fresh(const struct keypair *k, struct instant now)
{
    return k &&
           keypair_age(k, now).us < duration_seconds(KEYPAIR_REJECT_AFTER).us &&
           k->next_counter < COUNTER_WINDOW_LIMIT;
}

static void fill(struct aead_job *job, uint8_t *data, uint32_t size,
                 uint64_t counter)
{
    *job = (struct aead_job){
        .data = data + WIRE_DATA_HEADER_SIZE,
        .size = size,
        .tag = data + WIRE_DATA_HEADER_SIZE + size,
    };
    wire_write_nonce(job->nonce, counter);
}

void keypair_seal_job(struct keypair *k, struct datagram *d,
                      struct aead_job *job)
{
    uint32_t padded = (uint32_t)d->size - WIRE_DATA_OVERHEAD;
    assert(d->inner_offset == WIRE_DATA_HEADER_SIZE &&
           padded >= d->inner_size && k->next_counter < COUNTER_WINDOW_LIMIT);
    uint64_t counter = k->next_counter++;
    wire_write_data_header(d->data, k->remote_index, counter);
    memset(d->data + d->inner_offset + d->inner_size, 0,
           padded - d->inner_size);
    fill(job, d->data, padded, counter);
}

void keypair_open_job(struct datagram *d, uint64_t counter,
                      struct aead_job *job)
{
    fill(job, d->data, (uint32_t)d->size - WIRE_DATA_OVERHEAD, counter);
}
