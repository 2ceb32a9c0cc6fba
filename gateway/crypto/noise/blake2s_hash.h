/*
 * BLAKE2s (RFC 7693), by libb2, and what the Noise framework builds of it:
 * HMAC (RFC 2104) and the key derivation (RFC 5869 without its info).
 */
#ifndef CRYPTO_NOISE_BLAKE2S_HASH_H
#define CRYPTO_NOISE_BLAKE2S_HASH_H

#include "gateway/base/bytes.h"

enum {
    BLAKE2S_HASH_SIZE = 32,
    BLAKE2S_HASH_MAC_SIZE = 16,
    BLAKE2S_HASH_KEYS_MAX = 3, /* of one derivation */
};

/* The hash of both, one after the other; the second may be empty. */
void blake2s_hash(uint8_t out[BLAKE2S_HASH_SIZE], struct bytes first,
                  struct bytes second);

/* BLAKE2s with a key of its own of up to 32 bytes: no HMAC. */
void blake2s_hash_mac(uint8_t out[BLAKE2S_HASH_MAC_SIZE], struct bytes key,
                      struct bytes input);

/* The key has at most 64 bytes. */
void blake2s_hash_hmac(uint8_t out[BLAKE2S_HASH_SIZE], struct bytes key,
                       struct bytes first, struct bytes second);

/* `count` keys of a chaining key and an input. A key whose pointer is NULL is
 * derived and thrown away; an output may be the chaining key itself. */
void blake2s_hash_derive(uint8_t *const out[], size_t count,
                         const uint8_t chaining_key[BLAKE2S_HASH_SIZE],
                         struct bytes input);

#endif
