/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for tables whose keys
 * an attacker chooses, and for stateless cookies. Not an encryption. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "gateway/base/bytes.h"

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

#endif
