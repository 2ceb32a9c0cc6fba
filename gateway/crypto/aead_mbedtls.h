/* AEAD by mbedTLS: everywhere, slowly. */
#ifndef CRYPTO_AEAD_MBEDTLS_H
#define CRYPTO_AEAD_MBEDTLS_H

#include "gateway/crypto/aead_functions.h"

extern const struct aead_functions aead_mbedtls;

#endif
