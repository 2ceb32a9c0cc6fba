/*
 * OpenSSL's library context of this program: its own, with the default provider
 * and without a configuration file, so that nothing on the machine changes what
 * it does. The legacy provider is not loaded: it is a file of its own, and what
 * needs it is refused by name.
 */
#ifndef CRYPTO_OPENSSL_LIBRARY_OPENSSL_H
#define CRYPTO_OPENSSL_LIBRARY_OPENSSL_H

#include <openssl/crypto.h>

#include "gateway/base/bytes.h"

/* Made once in a process; NULL when memory is short. */
OSSL_LIB_CTX *library_openssl(void);

/* Writes the library's words about its last failure; its list of failures is
 * empty afterwards. */
void library_openssl_explain(char *out, size_t size);

/* OpenSSL's name of a digest that digest_find() knows. */
const char *library_openssl_digest(const char *digest);

#endif
