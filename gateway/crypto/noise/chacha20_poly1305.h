/*
 * ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305, which has a nonce long
 * enough to be drawn at random (draft-irtf-cfrg-xchacha), for the few short
 * messages of a handshake, by libsodium. Bulk data goes through aead.h.
 *
 * `sealed` has CHACHA20_POLY1305_TAG_SIZE bytes more than `plain`.
 */
#ifndef CRYPTO_NOISE_CHACHA20_POLY1305_H
#define CRYPTO_NOISE_CHACHA20_POLY1305_H

#include "gateway/base/bytes.h"

enum {
    CHACHA20_POLY1305_KEY_SIZE = 32,
    CHACHA20_POLY1305_NONCE_SIZE = 12,
    CHACHA20_POLY1305_LONG_NONCE_SIZE = 24,
    CHACHA20_POLY1305_TAG_SIZE = 16,
};

void chacha20_poly1305_seal(uint8_t *sealed, struct bytes plain,
                            struct bytes associated,
                            const uint8_t nonce[CHACHA20_POLY1305_NONCE_SIZE],
                            const uint8_t key[CHACHA20_POLY1305_KEY_SIZE]);
/* False, and `plain` is zeroes, where the tag is wrong or there is none. */
MUST_USE bool
chacha20_poly1305_open(uint8_t *plain, struct bytes sealed,
                       struct bytes associated,
                       const uint8_t nonce[CHACHA20_POLY1305_NONCE_SIZE],
                       const uint8_t key[CHACHA20_POLY1305_KEY_SIZE]);

/* The same with the long nonce. */
void chacha20_poly1305_seal_long(
    uint8_t *sealed, struct bytes plain, struct bytes associated,
    const uint8_t nonce[CHACHA20_POLY1305_LONG_NONCE_SIZE],
    const uint8_t key[CHACHA20_POLY1305_KEY_SIZE]);
MUST_USE bool chacha20_poly1305_open_long(
    uint8_t *plain, struct bytes sealed, struct bytes associated,
    const uint8_t nonce[CHACHA20_POLY1305_LONG_NONCE_SIZE],
    const uint8_t key[CHACHA20_POLY1305_KEY_SIZE]);

#endif
