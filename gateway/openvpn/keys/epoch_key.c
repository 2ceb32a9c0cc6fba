#include "gateway/openvpn/keys/epoch_key.h"

#include "gateway/base/secret.h"
#include "gateway/crypto/hkdf.h"

#include <assert.h>

void epoch_key_expand(const uint8_t secret[EPOCH_SECRET_SIZE],
                      const char *label, uint8_t *out, size_t size)
{
    static const char prefix[] = "ovpn ";
    uint8_t memory[2 + 1 + sizeof prefix + EPOCH_LABEL_MAX + 1];
    size_t prefix_size = strlen(prefix), label_size = strlen(label);
    assert(size <= HKDF_OUTPUT_MAX && label_size <= EPOCH_LABEL_MAX);
    struct writer info = writer_of(memory, sizeof memory);
    write_u16(&info, (uint16_t)size);
    write_u8(&info, (uint8_t)(prefix_size + label_size));
    write_bytes(&info, bytes_of(prefix, prefix_size));
    write_bytes(&info, bytes_of(label, label_size));
    write_u8(&info, 0); /* no context */
    assert(writer_ok(&info));
    hkdf_expand(bytes_of(secret, EPOCH_SECRET_SIZE), writer_bytes(&info), out,
                size);
}

void epoch_key_iterate(struct epoch_key *key)
{
    assert(key->epoch < UINT16_MAX);
    struct epoch_key next = {.epoch = (uint16_t)(key->epoch + 1)};
    epoch_key_expand(key->secret, "datakey upd", next.secret,
                     sizeof next.secret);
    *key = next;
    secret_wipe(&next, sizeof next);
}

struct aead *epoch_key_derive(const struct epoch_key *key,
                              enum aead_library library,
                              enum aead_cipher cipher,
                              uint8_t mask[AEAD_NONCE_SIZE])
{
    uint8_t data_key[32];
    size_t size = aead_key_size(cipher);
    assert(size <= sizeof data_key);
    epoch_key_expand(key->secret, "data_key", data_key, size);
    epoch_key_expand(key->secret, "data_iv", mask, AEAD_NONCE_SIZE);
    struct aead *aead = aead_new(library, cipher, data_key);
    secret_wipe(data_key, sizeof data_key);
    return aead;
}
