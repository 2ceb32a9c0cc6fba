#include "gateway/crypto/digest.h"

#include <openssl/evp.h>

#include "gateway/crypto/openssl/library_openssl.h"

bool digest_sha256(struct bytes data, uint8_t out[DIGEST_SHA256_SIZE])
{
    return EVP_Q_digest(library_openssl(), "SHA2-256", NULL, data.data,
                        data.size, out, NULL) == 1;
}
