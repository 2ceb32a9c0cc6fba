/* mbedTLS' configuration of one end, for the files of this room. */
#ifndef CRYPTO_MBEDTLS_TLS_END_MBEDTLS_H
#define CRYPTO_MBEDTLS_TLS_END_MBEDTLS_H

#include <mbedtls/ssl.h>

#include "gateway/crypto/tls_end.h"

struct tls_end {
    enum tls_end_kind kind;
    enum tls_end_demand demand;
    enum tls_end_version newest;
    struct tls_random random;
    mbedtls_ssl_config config;
    mbedtls_x509_crt_profile profile;
    int *suites;      /* owned, 0 at the end */
    uint16_t *groups; /* owned, 0 at the end; NULL: the library's */
};

#endif
