/*
 * The chain of secrets in one direction of the epoch data format: E1 is 32
 * bytes of the key material, each epoch's data key and nonce mask come from
 * its secret, and so does the next secret (openvpn: crypto_epoch.c).
 *
 *   E(n+1) = X(E(n), "datakey upd", 32)
 *   key    = X(E(n), "data_key", the cipher's key size)
 *   mask   = X(E(n), "data_iv", 12)
 *   X      = HKDF-Expand (RFC 5869) with SHA-256 and the info of TLS 1.3's
 *            HKDF-Expand-Label, "ovpn " in the place of "tls13 "
 */
#ifndef OPENVPN_KEYS_EPOCH_KEY_H
#define OPENVPN_KEYS_EPOCH_KEY_H

#include "gateway/crypto/aead.h"

enum { EPOCH_SECRET_SIZE = 32, EPOCH_LABEL_MAX = 16 };

struct epoch_key {
    uint16_t epoch; /* from 1 */
    uint8_t secret[EPOCH_SECRET_SIZE];
};

/* X of `label`, at most EPOCH_LABEL_MAX letters. Does not fail where SHA-256
 * is there, without which there is no TLS. */
void epoch_key_expand(const uint8_t secret[EPOCH_SECRET_SIZE],
                      const char *label, uint8_t *out, size_t size);

/* On to the next epoch; not behind 65535. */
void epoch_key_iterate(struct epoch_key *key);

/* The AEAD of this epoch, and its nonce mask. NULL as of aead_new(). */
struct aead *epoch_key_derive(const struct epoch_key *key,
                              enum aead_library library,
                              enum aead_cipher cipher,
                              uint8_t mask[AEAD_NONCE_SIZE]);

#endif
