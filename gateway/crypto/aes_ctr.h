/* AES-256 in counter mode, over whole messages: encrypting and decrypting are
 * the same. */
#ifndef CRYPTO_AES_CTR_H
#define CRYPTO_AES_CTR_H

#include "gateway/base/bytes.h"

enum { AES_CTR_KEY_SIZE = 32, AES_CTR_BLOCK_SIZE = 16 };

struct aes_ctr;

/* NULL when memory is short. */
struct aes_ctr *aes_ctr_new(const uint8_t key[AES_CTR_KEY_SIZE]);
/* Wipes the key. */
void aes_ctr_free(struct aes_ctr *c);

/* `counter` is the first block's. `in` may be `out`. False only if the library
 * fails, which it has no reason to. */
MUST_USE bool aes_ctr_apply(struct aes_ctr *c,
                            const uint8_t counter[AES_CTR_BLOCK_SIZE],
                            const uint8_t *in, size_t size, uint8_t *out);

#endif
