/*
 * AES-CBC and then HMAC over packets, in place, for servers that do not
 * negotiate an AEAD cipher, by the same two libraries as aead.h.
 *
 *   iv(16) ciphertext, and over both of them the hmac, which may lie anywhere
 *
 * The sizes are multiples of a block; padding is the caller's.
 */
#ifndef CRYPTO_CBC_HMAC_H
#define CRYPTO_CBC_HMAC_H

#include "gateway/crypto/aead.h"

enum {
    CBC_HMAC_BLOCK_SIZE = 16,
    CBC_HMAC_DIGEST_MAX = 64,
    CBC_HMAC_BATCH_MAX = 64,
};

struct cbc_hmac; /* one pair of keys, either direction */

struct cbc_hmac_job {
    uint8_t *iv; /* and behind it the data, encrypted or decrypted in place */
    uint8_t *hmac;
    uint32_t size; /* of the data; at least one block */
    bool ok;       /* cbc_hmac_open: the hmac was right; garbage if not */
};

struct cbc_hmac_keys {
    const char *digest;  /* by OpenVPN's name */
    const uint8_t *hmac; /* of the digest's size */
    const uint8_t *cipher;
    size_t cipher_size; /* 16, 24 or 32 */
};

/* The size of the digest that OpenVPN calls so; 0 if there is none such. */
size_t cbc_hmac_digest_size(const char *digest);

/* NULL when memory is short or the library cannot do it here. */
struct cbc_hmac *cbc_hmac_new(enum aead_library library,
                              const struct cbc_hmac_keys *keys);
/* Wipes the keys. */
void cbc_hmac_free(struct cbc_hmac *c);
/* As aead_library_name(). */
const char *cbc_hmac_library_name(const struct cbc_hmac *c);

/* At most CBC_HMAC_BATCH_MAX jobs. */
void cbc_hmac_seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count);
/* Compares the hmac in constant time and sets `ok`. */
void cbc_hmac_open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count);

#endif
