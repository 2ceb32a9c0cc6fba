#include "gateway/openvpn/data/data_channel.h"

#include "gateway/openvpn/data/data_aead.h"
#include "gateway/openvpn/data/data_cbc.h"
#include "gateway/openvpn/data/data_epoch.h"
#include "gateway/openvpn/keys/cipher_names.h"

#include <assert.h>

static const struct {
    const char *name;
    enum aead_cipher cipher;
} ciphers[] = {
    {"AES-128-GCM", AEAD_AES_128_GCM},
    {"AES-192-GCM", AEAD_AES_192_GCM},
    {"AES-256-GCM", AEAD_AES_256_GCM},
    {"CHACHA20-POLY1305", AEAD_CHACHA20_POLY1305},
};

bool data_channel_choose(struct data_channel_options *o, const char *cipher)
{
    const struct cipher_name *name = cipher_names_find(bytes_of_text(cipher));
    if (name && name->class == CIPHER_CBC) {
        o->cbc_key_size = (uint8_t)(name->key_bits / 8);
        return true;
    }
    for (size_t i = 0; name && i < sizeof ciphers / sizeof *ciphers; i++)
        if (!strcmp(name->name, ciphers[i].name)) {
            o->cipher = ciphers[i].cipher;
            o->cbc_key_size = 0;
            return true;
        }
    return false;
}

/* A derivation that went wrong must not become a key. */
static bool all_zero(const uint8_t *key, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= key[i];
    return any == 0;
}

struct data_channel *data_channel_new(const struct data_channel_options *o,
                                      const struct key_material *material)
{
    bool cbc = o->cbc_key_size > 0;
    size_t size = cbc ? o->cbc_key_size : aead_key_size(o->cipher);
    if (all_zero(key_material_send(material, o->role).cipher, size) ||
        all_zero(key_material_receive(material, o->role).cipher, size))
        return NULL;
    if (cbc)
        return o->epoch ? NULL : data_cbc_new(o, material);
    if (o->static_key)
        return NULL;
    return o->epoch ? data_epoch_new(o, material) : data_aead_new(o, material);
}

void data_channel_free(struct data_channel *c)
{
    if (c)
        c->functions->destroy(c);
}

struct burst_layout data_channel_layout(const struct data_channel *c)
{
    return c->layout;
}

void data_channel_seal(struct data_channel *c, struct burst *burst)
{
    c->functions->seal(c, burst);
}

void data_channel_open(struct data_channel *c, struct instant now,
                       struct burst *burst, size_t first, size_t count)
{
    assert(first + count <= burst->count);
    c->functions->open(c, now, burst->datagrams + first, count);
}

struct data_channel_use data_channel_use(const struct data_channel *c)
{
    return (struct data_channel_use){
        .bytes = c->bytes,
        .packets = c->packets,
        .exhausted = c->functions->exhausted(c),
    };
}

const char *data_channel_library(const struct data_channel *c)
{
    return c->functions->library(c);
}
