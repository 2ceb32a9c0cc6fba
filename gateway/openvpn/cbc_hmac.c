#include "gateway/openvpn/cbc_hmac.h"

#include "gateway/base/secret.h"
#include "gateway/openvpn/cipher_names.h"

#include <assert.h>
#include <mbedtls/aes.h>
#include <mbedtls/md.h>
#include <stdlib.h>

struct cbc_hmac {
    mbedtls_aes_context encrypt, decrypt;
    mbedtls_md_context_t hmac;
    size_t digest_size;
};

static const mbedtls_md_info_t *find_digest(const char *name, size_t *size)
{
    const char *known = cipher_names_digest(bytes_of_text(name), size);
    const mbedtls_md_info_t *info =
        known ? mbedtls_md_info_from_string(known) : NULL;
    return info && mbedtls_md_get_size(info) == *size ? info : NULL;
}

size_t cbc_hmac_digest_size(const char *digest)
{
    size_t size;
    return find_digest(digest, &size) ? size : 0;
}

struct cbc_hmac *cbc_hmac_new(size_t key_size, const uint8_t *key,
                              const char *digest, const uint8_t *hmac_key)
{
    struct cbc_hmac *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    mbedtls_aes_init(&c->encrypt);
    mbedtls_aes_init(&c->decrypt);
    mbedtls_md_init(&c->hmac);
    const mbedtls_md_info_t *info = find_digest(digest, &c->digest_size);
    unsigned bits = (unsigned)(8 * key_size);
    if (!info || mbedtls_aes_setkey_enc(&c->encrypt, key, bits) ||
        mbedtls_aes_setkey_dec(&c->decrypt, key, bits) ||
        mbedtls_md_setup(&c->hmac, info, 1) ||
        mbedtls_md_hmac_starts(&c->hmac, hmac_key, c->digest_size)) {
        cbc_hmac_free(c);
        return NULL;
    }
    return c;
}

void cbc_hmac_free(struct cbc_hmac *c)
{
    if (!c)
        return;
    mbedtls_aes_free(&c->encrypt);
    mbedtls_aes_free(&c->decrypt);
    mbedtls_md_free(&c->hmac);
    secret_wipe(c, sizeof *c);
    free(c);
}

/* Neither fails with a key that was set and whole blocks: a failure would be
 * a bug of ours, and must not go out as plain text. */
static void crypt(struct cbc_hmac *c, int mode, const struct cbc_hmac_job *j)
{
    uint8_t iv[CBC_HMAC_BLOCK_SIZE]; /* the library writes the next one there */
    memcpy(iv, j->iv, sizeof iv);
    uint8_t *data = j->iv + CBC_HMAC_BLOCK_SIZE;
    mbedtls_aes_context *aes =
        mode == MBEDTLS_AES_ENCRYPT ? &c->encrypt : &c->decrypt;
    int failed = mbedtls_aes_crypt_cbc(aes, mode, j->size, iv, data, data);
    assert(!failed);
}

static void authenticate(struct cbc_hmac *c, const struct cbc_hmac_job *j,
                         uint8_t *hmac)
{
    int failed = mbedtls_md_hmac_reset(&c->hmac) ||
                 mbedtls_md_hmac_update(
                     &c->hmac, j->iv, CBC_HMAC_BLOCK_SIZE + (size_t)j->size) ||
                 mbedtls_md_hmac_finish(&c->hmac, hmac);
    assert(!failed);
}

void cbc_hmac_seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        crypt(c, MBEDTLS_AES_ENCRYPT, &jobs[i]);
        authenticate(c, &jobs[i], jobs[i].hmac);
    }
}

void cbc_hmac_open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    uint8_t hmac[CBC_HMAC_DIGEST_MAX];
    for (size_t i = 0; i < count; i++) {
        struct cbc_hmac_job *j = &jobs[i];
        authenticate(c, j, hmac);
        j->ok = secret_equal(bytes_of(hmac, c->digest_size),
                             bytes_of(j->hmac, c->digest_size));
        if (j->ok)
            crypt(c, MBEDTLS_AES_DECRYPT, j);
    }
}
