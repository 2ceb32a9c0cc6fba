#include "gateway/crypto/aead.h"

#include "gateway/crypto/aead_functions.h"

#include <assert.h>

static const size_t key_sizes[] = {
    [AEAD_AES_128_GCM] = 16,
    [AEAD_AES_192_GCM] = 24,
    [AEAD_AES_256_GCM] = 32,
    [AEAD_CHACHA20_POLY1305] = 32,
};
static_assert(sizeof key_sizes / sizeof *key_sizes == AEAD_CIPHER_COUNT,
              "every cipher has a key size");

size_t aead_key_size(enum aead_cipher cipher)
{
    assert(cipher < AEAD_CIPHER_COUNT);
    return key_sizes[cipher];
}

struct aead *aead_new(enum aead_library library, enum aead_cipher cipher,
                      const uint8_t *key)
{
    assert(cipher < AEAD_CIPHER_COUNT);
    struct aead *aead = NULL;
    if (library != AEAD_PORTABLE)
        aead = aead_functions_ipsecmb.create(cipher, key);
    if (!aead && library != AEAD_IPSECMB)
        aead = aead_functions_portable.create(cipher, key);
    return aead;
}

void aead_free(struct aead *aead)
{
    if (aead)
        aead->functions->destroy(aead);
}

const char *aead_library_name(const struct aead *aead)
{
    return aead->functions->library;
}

void aead_seal(struct aead *aead, struct aead_job *jobs, size_t count)
{
    aead->functions->seal(aead, jobs, count);
}

void aead_open(struct aead *aead, struct aead_job *jobs, size_t count)
{
    aead->functions->open(aead, jobs, count);
}
