/* HKDF-Expand (RFC 5869) with SHA-256. */
#ifndef CRYPTO_HKDF_H
#define CRYPTO_HKDF_H

#include "gateway/base/bytes.h"

enum { HKDF_OUTPUT_MAX = 255 * 32 };

/* At most HKDF_OUTPUT_MAX bytes. Does not fail where SHA-256 is there, without
 * which there is no TLS. */
void hkdf_expand(struct bytes secret, struct bytes info, uint8_t *out,
                 size_t size);

#endif
