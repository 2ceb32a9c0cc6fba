#include "gateway/crypto/aead_functions.h"

#include "gateway/base/secret.h"

#include <assert.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <stdlib.h>

struct by_mbedtls {
    struct aead aead;
    bool chacha;
    union {
        mbedtls_gcm_context gcm;
        mbedtls_chachapoly_context chachapoly;
    };
};

static struct by_mbedtls *of(struct aead *aead)
{
    static_assert(offsetof(struct by_mbedtls, aead) == 0, "comes first");
    return (struct by_mbedtls *)aead;
}

static void destroy(struct aead *aead)
{
    struct by_mbedtls *a = of(aead);
    if (a->chacha)
        mbedtls_chachapoly_free(&a->chachapoly);
    else
        mbedtls_gcm_free(&a->gcm);
    secret_wipe(a, sizeof *a);
    free(a);
}

static int set_key(struct by_mbedtls *a, enum aead_cipher cipher,
                   const uint8_t *key)
{
    if (a->chacha) {
        mbedtls_chachapoly_init(&a->chachapoly);
        return mbedtls_chachapoly_setkey(&a->chachapoly, key);
    }
    mbedtls_gcm_init(&a->gcm);
    return mbedtls_gcm_setkey(&a->gcm, MBEDTLS_CIPHER_ID_AES, key,
                              (unsigned)(8 * aead_key_size(cipher)));
}

static struct aead *create(enum aead_cipher cipher, const uint8_t *key)
{
    struct by_mbedtls *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->aead.functions = &aead_functions_portable;
    a->chacha = cipher == AEAD_CHACHA20_POLY1305;
    if (set_key(a, cipher, key)) {
        destroy(&a->aead);
        return NULL;
    }
    return &a->aead;
}

/*
 * Encrypting fails only where an argument is outside of what a job can say
 * (mbedTLS refuses 64 GiB and more), so a failure is a bug of ours, and what
 * stands in `data` must not leave.
 */
static void seal(struct aead *aead, struct aead_job *jobs, size_t count)
{
    struct by_mbedtls *a = of(aead);
    for (size_t i = 0; i < count; i++) {
        struct aead_job *j = &jobs[i];
        int failed;
        if (a->chacha)
            failed = mbedtls_chachapoly_encrypt_and_tag(
                &a->chachapoly, j->size, j->nonce, j->associated,
                j->associated_size, j->data, j->data, j->tag);
        else
            failed = mbedtls_gcm_crypt_and_tag(
                &a->gcm, MBEDTLS_GCM_ENCRYPT, j->size, j->nonce,
                AEAD_NONCE_SIZE, j->associated, j->associated_size, j->data,
                j->data, AEAD_TAG_SIZE, j->tag);
        assert(!failed);
    }
}

static void open(struct aead *aead, struct aead_job *jobs, size_t count)
{
    struct by_mbedtls *a = of(aead);
    for (size_t i = 0; i < count; i++) {
        struct aead_job *j = &jobs[i];
        int failed;
        if (a->chacha)
            failed = mbedtls_chachapoly_auth_decrypt(
                &a->chachapoly, j->size, j->nonce, j->associated,
                j->associated_size, j->tag, j->data, j->data);
        else
            failed = mbedtls_gcm_auth_decrypt(
                &a->gcm, j->size, j->nonce, AEAD_NONCE_SIZE, j->associated,
                j->associated_size, j->tag, AEAD_TAG_SIZE, j->data, j->data);
        j->ok = !failed;
    }
}

const struct aead_functions aead_functions_portable = {
    .library = "mbedtls",
    .create = create,
    .destroy = destroy,
    .seal = seal,
    .open = open,
};
