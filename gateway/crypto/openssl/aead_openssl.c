#include "gateway/crypto/aead_functions.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "gateway/crypto/openssl/library_openssl.h"

struct by_openssl {
    struct aead aead;
    EVP_CIPHER_CTX *sealing, *opening;
};

static struct by_openssl *of(struct aead *aead)
{
    static_assert(offsetof(struct by_openssl, aead) == 0, "comes first");
    return (struct by_openssl *)aead;
}

static void destroy(struct aead *aead)
{
    struct by_openssl *a = of(aead);
    EVP_CIPHER_CTX_free(a->sealing); /* wipes */
    EVP_CIPHER_CTX_free(a->opening);
    free(a);
}

static bool set_key(struct by_openssl *a, const char *name, const uint8_t *key)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(library_openssl(), name, NULL);
    a->sealing = EVP_CIPHER_CTX_new();
    a->opening = EVP_CIPHER_CTX_new();
    bool good = cipher && a->sealing && a->opening &&
                EVP_EncryptInit_ex2(a->sealing, cipher, key, NULL, NULL) == 1 &&
                EVP_DecryptInit_ex2(a->opening, cipher, key, NULL, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the contexts have their own references */
    return good;
}

static struct aead *create(enum aead_cipher cipher, const uint8_t *key)
{
    static const char *const names[] = {
        [AEAD_AES_128_GCM] = "AES-128-GCM",
        [AEAD_AES_192_GCM] = "AES-192-GCM",
        [AEAD_AES_256_GCM] = "AES-256-GCM",
        [AEAD_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
    };
    struct by_openssl *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->aead.functions = &aead_functions_portable;
    if (set_key(a, names[cipher], key))
        return &a->aead;
    destroy(&a->aead);
    return NULL;
}

/* The associated data and the data, in place; not the tag. */
static bool pass(EVP_CIPHER_CTX *c, const struct aead_job *j)
{
    int made;
    return j->size <= INT32_MAX &&
           EVP_CipherInit_ex2(c, NULL, NULL, j->nonce, -1, NULL) == 1 &&
           (j->associated_size == 0 ||
            EVP_CipherUpdate(c, NULL, &made, j->associated,
                             j->associated_size) == 1) &&
           (j->size == 0 ||
            EVP_CipherUpdate(c, j->data, &made, j->data, (int)j->size) == 1);
}

/* It fails only where an argument is outside of what a job can say, so a
 * failure is a bug of ours, and what stands in `data` must not leave. */
static void seal(struct aead *aead, struct aead_job *jobs, size_t count)
{
    EVP_CIPHER_CTX *c = of(aead)->sealing;
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int made;
    for (size_t i = 0; i < count; i++) {
        bool good = pass(c, &jobs[i]) &&
                    EVP_CipherFinal_ex(c, rest, &made) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE,
                                        jobs[i].tag) == 1;
        assert(good);
    }
}

static void open(struct aead *aead, struct aead_job *jobs, size_t count)
{
    EVP_CIPHER_CTX *c = of(aead)->opening;
    uint8_t rest[EVP_MAX_BLOCK_LENGTH], tag[AEAD_TAG_SIZE];
    int made;
    for (size_t i = 0; i < count; i++) {
        memcpy(tag, jobs[i].tag, sizeof tag);
        jobs[i].ok = pass(c, &jobs[i]) &&
                     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG,
                                         AEAD_TAG_SIZE, tag) == 1 &&
                     EVP_CipherFinal_ex(c, rest, &made) == 1;
    }
}

const struct aead_functions aead_functions_portable = {
    .library = "openssl",
    .create = create,
    .destroy = destroy,
    .seal = seal,
    .open = open,
};
