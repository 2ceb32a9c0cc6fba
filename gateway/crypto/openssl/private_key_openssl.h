/* OpenSSL's private key, for the files of this room. */
#ifndef CRYPTO_OPENSSL_PRIVATE_KEY_OPENSSL_H
#define CRYPTO_OPENSSL_PRIVATE_KEY_OPENSSL_H

#include <openssl/evp.h>

#include "gateway/crypto/private_key.h"

struct private_key {
    EVP_PKEY *key;
};

#endif
