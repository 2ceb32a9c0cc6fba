#include "gateway/crypto/digest.h"

#include <mbedtls/sha256.h>

bool digest_sha256(struct bytes data, uint8_t out[DIGEST_SHA256_SIZE])
{
    return mbedtls_sha256(data.data, data.size, out, 0) == 0;
}
