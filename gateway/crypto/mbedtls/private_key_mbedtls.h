/* mbedTLS' private key and source of randomness, for the files of this room. */
#ifndef CRYPTO_MBEDTLS_PRIVATE_KEY_MBEDTLS_H
#define CRYPTO_MBEDTLS_PRIVATE_KEY_MBEDTLS_H

#include <mbedtls/pk.h>

#include "gateway/crypto/private_key.h"

struct private_key {
    mbedtls_pk_context context;
};

/* For mbedTLS to call; `random` is a const struct tls_random. Key shares of TLS
 * 1.3 come from the PSA part of mbedTLS, which asks the system itself. */
int private_key_mbedtls_fill(void *random, unsigned char *out, size_t size);

#endif
