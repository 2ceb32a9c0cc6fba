/* mbedTLS' certificates in our words, for the files of this room. */
#ifndef CRYPTO_MBEDTLS_CERTIFICATES_MBEDTLS_H
#define CRYPTO_MBEDTLS_CERTIFICATES_MBEDTLS_H

#include <mbedtls/x509_crt.h>

#include "gateway/crypto/certificates.h"

struct certificates {
    mbedtls_x509_crt chain;
};

struct revocations {
    mbedtls_x509_crl list;
};

/* For the library's parsers: they want PEM with its NUL. */
static inline size_t certificates_mbedtls_parse_size(struct bytes text)
{
    return text.size + certificates_is_pem(text);
}

/* s since 1970. */
int64_t certificates_mbedtls_time(const mbedtls_x509_time *t);

/* "an Ed25519 key" or another kind that mbedTLS does not have, if a certificate
 * or private key in DER is of one; else NULL. */
const char *certificates_mbedtls_foreign_key(struct bytes der);
/* The same for the first private key of a PEM text. */
const char *certificates_mbedtls_foreign_key_of_text(struct bytes text);

/* mbedTLS' flags of a verification, and back. */
uint32_t certificates_mbedtls_faults(uint32_t flags);
uint32_t certificates_mbedtls_flags(uint32_t faults);

/* For mbedTLS to call with each certificate; `context` is the judge. */
int certificates_mbedtls_decide(void *context, mbedtls_x509_crt *certificate,
                                int depth, uint32_t *flags);

mbedtls_x509_crt_profile
certificates_mbedtls_profile(enum certificate_strength strength);

#endif
