/*
 * AES-GCM and ChaCha20-Poly1305 over packets, in place, by Intel's Multi-Buffer
 * library where the CPU can, else by the TLS library. aead_new() picks one, and
 * a test compares both.
 * The 16-byte tag may lie anywhere.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "gateway/base/bytes.h"

enum aead_cipher {
    AEAD_AES_128_GCM,
    AEAD_AES_192_GCM,
    AEAD_AES_256_GCM,
    AEAD_CHACHA20_POLY1305,
    AEAD_CIPHER_COUNT
};

enum { AEAD_TAG_SIZE = 16, AEAD_NONCE_SIZE = 12, AEAD_BATCH_MAX = 64 };

enum aead_library { AEAD_FASTEST, AEAD_IPSECMB, AEAD_PORTABLE };

struct aead; /* one key, either direction */

/* One packet's worth of work. `data` is encrypted or decrypted in place. */
struct aead_job {
    uint8_t *data;
    uint8_t *tag;
    const uint8_t *associated;
    uint32_t size;
    uint16_t associated_size;
    bool ok; /* aead_open: the tag was right; `data` is garbage if not */
    uint8_t nonce[AEAD_NONCE_SIZE];
};

/* NULL when memory is short or the library cannot do the cipher here. */
struct aead *aead_new(enum aead_library library, enum aead_cipher cipher,
                      const uint8_t *key);
/* Wipes the key. */
void aead_free(struct aead *aead);

size_t aead_key_size(enum aead_cipher cipher);
/* The library that was picked: "ipsec-mb", or the TLS library's name. */
const char *aead_library_name(const struct aead *aead);

/* Encrypts each job and writes its tag. */
void aead_seal(struct aead *aead, struct aead_job *jobs, size_t count);
/* Decrypts each job and sets its `ok`. */
void aead_open(struct aead *aead, struct aead_job *jobs, size_t count);

#endif
