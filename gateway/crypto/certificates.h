/*
 * Certificates and keys of files, as OpenSSL would take them: PEM blocks one
 * after another, or one in DER. mbedTLS refuses a certificate with a critical
 * extension that it does not know. Policies restrict nothing where nobody asks
 * for one, so they are passed over, as OpenSSL does by default; a constraint
 * on names is not, and the reason names it.
 */
#ifndef CRYPTO_CERTIFICATES_H
#define CRYPTO_CERTIFICATES_H

#include <mbedtls/x509_crt.h>

#include "gateway/base/bytes.h"

enum { CERTIFICATES_WHY_SIZE = 160 };

struct certificates_result {
    unsigned read, unread;
    char why[CERTIFICATES_WHY_SIZE]; /* of the first unread one, or "" */
};

/* Appends to `chain` what can be read. `text` is PEM if it holds any, and has a
 * NUL behind its end. False if nothing could be read. */
MUST_USE bool certificates_read(mbedtls_x509_crt *chain, struct bytes text,
                                struct certificates_result *result);

/* "an Ed25519 key" or another kind that mbedTLS does not have, if a certificate
 * or private key in DER is of one; else NULL. */
const char *certificates_foreign_key(struct bytes der);
/* The same for the first block of a PEM text. */
const char *certificates_foreign_key_of_text(struct bytes text);

#endif
