/*
 * AES-CBC and then HMAC over packets, in place, for servers that do not
 * negotiate an AEAD cipher.
 *
 *   iv(16) ciphertext, and over both of them the hmac, which may lie anywhere
 *
 * The sizes are multiples of a block; padding is the caller's.
 */
#ifndef OPENVPN_CBC_HMAC_H
#define OPENVPN_CBC_HMAC_H

#include "gateway/base/bytes.h"

enum {
    CBC_HMAC_BLOCK_SIZE = 16,
    CBC_HMAC_DIGEST_MAX = 64,
};

struct cbc_hmac; /* one pair of keys, either direction */

struct cbc_hmac_job {
    uint8_t *iv; /* and behind it the data, encrypted or decrypted in place */
    uint8_t *hmac;
    uint32_t size; /* of the data */
    bool ok;       /* cbc_hmac_open: the hmac was right; else left as it was */
};

/* The size of the digest that OpenVPN calls so; 0 if there is none such. */
size_t cbc_hmac_digest_size(const char *digest);

/* `hmac_key` has the digest's size. NULL when memory is short or the library
 * does not have it. */
struct cbc_hmac *cbc_hmac_new(size_t key_size, const uint8_t *key,
                              const char *digest, const uint8_t *hmac_key);
/* Wipes the keys. */
void cbc_hmac_free(struct cbc_hmac *c);

void cbc_hmac_seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count);
/* Compares the hmac in constant time before anything is decrypted. */
void cbc_hmac_open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count);

#endif
