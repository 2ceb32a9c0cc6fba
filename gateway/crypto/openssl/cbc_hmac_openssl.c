#include "gateway/crypto/cbc_hmac_functions.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "gateway/base/secret.h"
#include "gateway/crypto/digest.h"
#include "gateway/crypto/hmac.h"
#include "gateway/crypto/openssl/library_openssl.h"

struct by_openssl {
    struct cbc_hmac cbc_hmac;
    EVP_CIPHER_CTX *encrypt, *decrypt;
    struct hmac *hmac;
};

static struct by_openssl *of(struct cbc_hmac *c)
{
    static_assert(offsetof(struct by_openssl, cbc_hmac) == 0, "comes first");
    return (struct by_openssl *)c;
}

static void destroy(struct cbc_hmac *c)
{
    struct by_openssl *b = of(c);
    EVP_CIPHER_CTX_free(b->encrypt); /* wipes */
    EVP_CIPHER_CTX_free(b->decrypt);
    hmac_free(b->hmac);
    free(b);
}

static bool set_keys(struct by_openssl *b, const struct cbc_hmac_keys *keys)
{
    const char *name = keys->cipher_size == 16   ? "AES-128-CBC"
                       : keys->cipher_size == 24 ? "AES-192-CBC"
                                                 : "AES-256-CBC";
    size_t size = 0;
    (void)digest_find(bytes_of_text(keys->digest), &size);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(library_openssl(), name, NULL);
    b->encrypt = EVP_CIPHER_CTX_new();
    b->decrypt = EVP_CIPHER_CTX_new();
    b->hmac = hmac_new(keys->digest, bytes_of(keys->hmac, size));
    bool good =
        cipher && b->encrypt && b->decrypt && b->hmac &&
        EVP_EncryptInit_ex2(b->encrypt, cipher, keys->cipher, NULL, NULL) ==
            1 &&
        EVP_DecryptInit_ex2(b->decrypt, cipher, keys->cipher, NULL, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the contexts have their own references */
    return good;
}

static struct cbc_hmac *create(const struct cbc_hmac_keys *keys)
{
    struct by_openssl *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->cbc_hmac.functions = &cbc_hmac_functions_portable;
    if (set_keys(b, keys))
        return &b->cbc_hmac;
    destroy(&b->cbc_hmac);
    return NULL;
}

/* Neither fails with a key that was set and whole blocks: a failure would be
 * a bug of ours, and must not go out as plain text. */
static void crypt(EVP_CIPHER_CTX *c, const struct cbc_hmac_job *j)
{
    uint8_t *data = j->iv + CBC_HMAC_BLOCK_SIZE;
    int made = 0;
    bool good = j->size <= INT32_MAX &&
                EVP_CipherInit_ex2(c, NULL, NULL, j->iv, -1, NULL) == 1 &&
                EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
                EVP_CipherUpdate(c, data, &made, data, (int)j->size) == 1 &&
                made == (int)j->size;
    assert(good);
}

static void authenticate(struct by_openssl *b, const struct cbc_hmac_job *j,
                         uint8_t *hmac)
{
    struct bytes all = bytes_of(j->iv, CBC_HMAC_BLOCK_SIZE + (size_t)j->size);
    bool good = hmac_make(b->hmac, &all, 1, hmac);
    assert(good);
}

static void seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    struct by_openssl *b = of(c);
    for (size_t i = 0; i < count; i++) {
        crypt(b->encrypt, &jobs[i]);
        authenticate(b, &jobs[i], jobs[i].hmac);
    }
}

static void open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    struct by_openssl *b = of(c);
    uint8_t hmac[CBC_HMAC_DIGEST_MAX];
    for (size_t i = 0; i < count; i++) {
        struct cbc_hmac_job *j = &jobs[i];
        authenticate(b, j, hmac);
        j->ok = secret_equal(bytes_of(hmac, c->digest_size),
                             bytes_of(j->hmac, c->digest_size));
        if (j->ok)
            crypt(b->decrypt, j);
    }
}

const struct cbc_hmac_functions cbc_hmac_functions_portable = {
    .library = "openssl",
    .create = create,
    .destroy = destroy,
    .seal = seal,
    .open = open,
};
