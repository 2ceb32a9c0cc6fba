#include "gateway/crypto/hkdf.h"

#include <assert.h>

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>

void hkdf_expand(struct bytes secret, struct bytes info, uint8_t *out,
                 size_t size)
{
    const mbedtls_md_info_t *sha256 =
        mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    int failed = mbedtls_hkdf_expand(sha256, secret.data, secret.size,
                                     info.data, info.size, out, size);
    assert(!failed);
}
