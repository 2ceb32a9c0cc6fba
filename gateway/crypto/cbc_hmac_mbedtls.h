/* AES-CBC and HMAC by mbedTLS: everywhere, slowly, and with every digest. */
#ifndef CRYPTO_CBC_HMAC_MBEDTLS_H
#define CRYPTO_CBC_HMAC_MBEDTLS_H

#include "gateway/crypto/cbc_hmac_functions.h"

extern const struct cbc_hmac_functions cbc_hmac_mbedtls;

#endif
