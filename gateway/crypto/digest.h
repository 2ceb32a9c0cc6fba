/*
 * Digests. Their names are those that `auth' takes: OpenVPN's spelling, and the
 * others that it knows (openvpn: crypto.c).
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "gateway/base/bytes.h"

/* The digest's name in OpenVPN's spelling ("SHA256"; "NONE" for none) and
 * its size in bytes; NULL if unknown. */
const char *digest_find(struct bytes name, size_t *size);

enum { DIGEST_SHA256_SIZE = 32 };

/* False when memory is short. */
MUST_USE bool digest_sha256(struct bytes data, uint8_t out[DIGEST_SHA256_SIZE]);

#endif
