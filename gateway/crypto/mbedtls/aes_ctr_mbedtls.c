#include "gateway/crypto/aes_ctr.h"

#include <stdlib.h>

#include <mbedtls/aes.h>

#include "gateway/base/secret.h"

struct aes_ctr {
    mbedtls_aes_context aes;
};

struct aes_ctr *aes_ctr_new(const uint8_t key[AES_CTR_KEY_SIZE])
{
    struct aes_ctr *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    mbedtls_aes_init(&c->aes);
    if (mbedtls_aes_setkey_enc(&c->aes, key, 8 * AES_CTR_KEY_SIZE) == 0)
        return c;
    aes_ctr_free(c);
    return NULL;
}

void aes_ctr_free(struct aes_ctr *c)
{
    if (!c)
        return;
    mbedtls_aes_free(&c->aes); /* wipes */
    free(c);
}

bool aes_ctr_apply(struct aes_ctr *c, const uint8_t counter[AES_CTR_BLOCK_SIZE],
                   const uint8_t *in, size_t size, uint8_t *out)
{
    /* The library counts up in place. */
    uint8_t next[AES_CTR_BLOCK_SIZE], stream[AES_CTR_BLOCK_SIZE];
    size_t used = 0;
    memcpy(next, counter, sizeof next);
    bool good =
        mbedtls_aes_crypt_ctr(&c->aes, size, &used, next, stream, in, out) == 0;
    secret_wipe(stream, sizeof stream);
    return good;
}
