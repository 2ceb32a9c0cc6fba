#include "gateway/crypto/aes_ctr.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "gateway/crypto/openssl/library_openssl.h"

struct aes_ctr {
    EVP_CIPHER_CTX *context;
};

struct aes_ctr *aes_ctr_new(const uint8_t key[AES_CTR_KEY_SIZE])
{
    struct aes_ctr *c = calloc(1, sizeof *c);
    EVP_CIPHER *cipher =
        EVP_CIPHER_fetch(library_openssl(), "AES-256-CTR", NULL);
    bool good = c && cipher && (c->context = EVP_CIPHER_CTX_new()) &&
                EVP_EncryptInit_ex2(c->context, cipher, key, NULL, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the context has its own reference */
    if (good)
        return c;
    aes_ctr_free(c);
    return NULL;
}

void aes_ctr_free(struct aes_ctr *c)
{
    if (!c)
        return;
    EVP_CIPHER_CTX_free(c->context); /* wipes */
    free(c);
}

bool aes_ctr_apply(struct aes_ctr *c, const uint8_t counter[AES_CTR_BLOCK_SIZE],
                   const uint8_t *in, size_t size, uint8_t *out)
{
    int made;
    return size <= INT_MAX &&
           EVP_EncryptInit_ex2(c->context, NULL, NULL, counter, NULL) == 1 &&
           (size == 0 ||
            EVP_EncryptUpdate(c->context, out, &made, in, (int)size) == 1);
}
