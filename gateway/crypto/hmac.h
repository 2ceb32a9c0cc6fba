/*
 * HMAC (RFC 2104) with a key that is prepared once and used for any number of
 * messages; a message allocates nothing.
 */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "gateway/base/bytes.h"

enum { HMAC_SIZE_MAX = 64 };

struct hmac;

/* `digest` as digest_find() spells it. NULL when memory is short or the TLS
 * library has no such digest. */
struct hmac *hmac_new(const char *digest, struct bytes key);
/* Wipes the key. */
void hmac_free(struct hmac *h);

/* The size of the digest, in bytes. */
size_t hmac_size(const struct hmac *h);

/* Over the parts, one behind the other. `out` has room for hmac_size(). False
 * only if the library fails, which it has no reason to. */
MUST_USE bool hmac_make(struct hmac *h, const struct bytes *parts, size_t count,
                        uint8_t *out);

#endif
