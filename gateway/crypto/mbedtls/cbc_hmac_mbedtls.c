#include "gateway/crypto/cbc_hmac_functions.h"

#include "gateway/base/secret.h"

#include <assert.h>
#include <mbedtls/aes.h>
#include <mbedtls/md.h>
#include <stdlib.h>

struct by_mbedtls {
    struct cbc_hmac cbc_hmac;
    mbedtls_aes_context encrypt, decrypt;
    mbedtls_md_context_t hmac;
};

static struct by_mbedtls *of(struct cbc_hmac *c)
{
    static_assert(offsetof(struct by_mbedtls, cbc_hmac) == 0, "comes first");
    return (struct by_mbedtls *)c;
}

static void destroy(struct cbc_hmac *c)
{
    struct by_mbedtls *b = of(c);
    mbedtls_aes_free(&b->encrypt);
    mbedtls_aes_free(&b->decrypt);
    mbedtls_md_free(&b->hmac);
    secret_wipe(b, sizeof *b);
    free(b);
}

static struct cbc_hmac *create(const struct cbc_hmac_keys *keys)
{
    struct by_mbedtls *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->cbc_hmac.functions = &cbc_hmac_functions_portable;
    mbedtls_aes_init(&b->encrypt);
    mbedtls_aes_init(&b->decrypt);
    mbedtls_md_init(&b->hmac);
    const mbedtls_md_info_t *info = mbedtls_md_info_from_string(keys->digest);
    unsigned bits = (unsigned)(8 * keys->cipher_size);
    if (!info || mbedtls_aes_setkey_enc(&b->encrypt, keys->cipher, bits) ||
        mbedtls_aes_setkey_dec(&b->decrypt, keys->cipher, bits) ||
        mbedtls_md_setup(&b->hmac, info, 1) ||
        mbedtls_md_hmac_starts(&b->hmac, keys->hmac,
                               mbedtls_md_get_size(info))) {
        destroy(&b->cbc_hmac);
        return NULL;
    }
    return &b->cbc_hmac;
}

/* Neither fails with a key that was set and whole blocks: a failure would be
 * a bug of ours, and must not go out as plain text. */
static void crypt(struct by_mbedtls *b, int mode, const struct cbc_hmac_job *j)
{
    uint8_t iv[CBC_HMAC_BLOCK_SIZE]; /* the library writes the next one there */
    memcpy(iv, j->iv, sizeof iv);
    uint8_t *data = j->iv + CBC_HMAC_BLOCK_SIZE;
    mbedtls_aes_context *aes =
        mode == MBEDTLS_AES_ENCRYPT ? &b->encrypt : &b->decrypt;
    int failed = mbedtls_aes_crypt_cbc(aes, mode, j->size, iv, data, data);
    assert(!failed);
}

static void authenticate(struct by_mbedtls *b, const struct cbc_hmac_job *j,
                         uint8_t *hmac)
{
    int failed = mbedtls_md_hmac_reset(&b->hmac) ||
                 mbedtls_md_hmac_update(
                     &b->hmac, j->iv, CBC_HMAC_BLOCK_SIZE + (size_t)j->size) ||
                 mbedtls_md_hmac_finish(&b->hmac, hmac);
    assert(!failed);
}

static void seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    struct by_mbedtls *b = of(c);
    for (size_t i = 0; i < count; i++) {
        crypt(b, MBEDTLS_AES_ENCRYPT, &jobs[i]);
        authenticate(b, &jobs[i], jobs[i].hmac);
    }
}

static void open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    struct by_mbedtls *b = of(c);
    uint8_t hmac[CBC_HMAC_DIGEST_MAX];
    for (size_t i = 0; i < count; i++) {
        struct cbc_hmac_job *j = &jobs[i];
        authenticate(b, j, hmac);
        j->ok = secret_equal(bytes_of(hmac, c->digest_size),
                             bytes_of(j->hmac, c->digest_size));
        if (j->ok)
            crypt(b, MBEDTLS_AES_DECRYPT, j);
    }
}

const struct cbc_hmac_functions cbc_hmac_functions_portable = {
    .library = "mbedtls",
    .create = create,
    .destroy = destroy,
    .seal = seal,
    .open = open,
};
