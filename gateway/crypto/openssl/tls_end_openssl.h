/* OpenSSL's context of one end, for the files of this room. */
#ifndef CRYPTO_OPENSSL_TLS_END_OPENSSL_H
#define CRYPTO_OPENSSL_TLS_END_OPENSSL_H

#include <openssl/ssl.h>

#include "gateway/crypto/tls_end.h"

struct tls_end {
    enum tls_end_kind kind;
    enum certificate_strength strength;
    SSL_CTX *context;
    BIO_METHOD *wire; /* tls_connection_openssl.c's */
    const struct certificates *authorities;
    const struct revocations *revoked;
};

/* The functions that OpenSSL calls to read and to write; NULL when memory is
 * short. */
BIO_METHOD *tls_end_openssl_wire(void);
/* OpenSSL calls this with a peer's chain. */
int tls_end_openssl_verify(X509_STORE_CTX *chain, void *unused);

#endif
