/* The library has its own source of randomness, the system's. */
#include "gateway/crypto/openssl/private_key_openssl.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "gateway/crypto/openssl/certificates_openssl.h"
#include "gateway/crypto/openssl/library_openssl.h"

struct question {
    struct bytes password;
    bool asked;
};

static int answer(char *out, int capacity, int writing, void *context)
{
    struct question *q = context;
    (void)writing;
    q->asked = true;
    if (!q->password.data || q->password.size > (size_t)capacity)
        return -1;
    if (q->password.size > 0)
        memcpy(out, q->password.data, q->password.size);
    return (int)q->password.size;
}

static EVP_PKEY *read_pem(struct bytes text, struct question *q)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey_ex(bio, NULL, answer, q,
                                                     library_openssl(), NULL)
                        : NULL;
    BIO_free(bio);
    return key;
}

static EVP_PKEY *read_der(struct bytes text, struct question *q)
{
    EVP_PKEY *key = NULL;
    const unsigned char *at = text.data;
    size_t left = text.size;
    OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(
        &key, "DER", NULL, NULL, OSSL_KEYMGMT_SELECT_KEYPAIR, library_openssl(),
        NULL);
    if (d && (OSSL_DECODER_CTX_set_pem_password_cb(d, answer, q) != 1 ||
              OSSL_DECODER_from_data(d, &at, &left) != 1)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    OSSL_DECODER_CTX_free(d);
    return key;
}

static enum private_key_result explain(const struct question *q,
                                       char why[PRIVATE_KEY_WHY_SIZE])
{
    library_openssl_explain(why, PRIVATE_KEY_WHY_SIZE);
    if (!q->asked)
        return PRIVATE_KEY_BAD;
    return q->password.size > 0 ? PRIVATE_KEY_PASSWORD : PRIVATE_KEY_LOCKED;
}

enum private_key_result private_key_read(struct bytes text,
                                         struct bytes password,
                                         const struct tls_random *random,
                                         struct private_key **out,
                                         char why[PRIVATE_KEY_WHY_SIZE])
{
    (void)random;
    struct question q = {.password = password};
    struct private_key *k = calloc(1, sizeof *k);
    why[0] = 0;
    *out = NULL;
    if (k && text.size > 0 && text.size <= INT32_MAX)
        k->key =
            certificates_is_pem(text) ? read_pem(text, &q) : read_der(text, &q);
    if (k && k->key) {
        ERR_clear_error();
        *out = k;
        return PRIVATE_KEY_OK;
    }
    private_key_free(k);
    return explain(&q, why);
}

void private_key_free(struct private_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key); /* wipes */
    free(k);
}

bool private_key_belongs(const struct private_key *k,
                         const struct certificates *c, size_t index,
                         const struct tls_random *random)
{
    (void)random;
    bool belongs = index < c->count &&
                   X509_check_private_key(c->all[index].x, k->key) == 1;
    ERR_clear_error();
    return belongs;
}
