/* Diffie-Hellman over Curve25519 (RFC 7748), by libsodium. */
#ifndef CRYPTO_NOISE_X25519_H
#define CRYPTO_NOISE_X25519_H

#include "gateway/base/bytes.h"

enum { X25519_KEY_SIZE = 32 };

/* 32 random bytes become a private key. */
void x25519_clamp(uint8_t private_key[X25519_KEY_SIZE]);

void x25519_public(uint8_t out[X25519_KEY_SIZE],
                   const uint8_t private_key[X25519_KEY_SIZE]);

/* False, and *out is zero, where the public key is one of the few that give
 * the same result for every private key. */
MUST_USE bool x25519_shared(uint8_t out[X25519_KEY_SIZE],
                            const uint8_t private_key[X25519_KEY_SIZE],
                            const uint8_t public_key[X25519_KEY_SIZE]);

#endif
