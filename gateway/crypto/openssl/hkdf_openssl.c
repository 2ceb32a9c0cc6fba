#include "gateway/crypto/hkdf.h"

#include <assert.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "gateway/crypto/openssl/library_openssl.h"

/* The library's parameters take what they only read as if they wrote to it. */
static void *writable(const void *p)
{
    return (void *)(uintptr_t)p;
}

void hkdf_expand(struct bytes secret, struct bytes info, uint8_t *out,
                 size_t size)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char digest[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                          writable(secret.data), secret.size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                          writable(info.data), info.size),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(library_openssl(), "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    bool good = context && EVP_KDF_derive(context, out, size, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    assert(good);
}
