/*
 * PKCS#12 containers (RFC 7292): a private key and certificates in one file,
 * under one password.
 *
 *   PFX { 3, data { SEQUENCE OF { data | encryptedData } }, MAC? }
 *   either of them holds bags: key, shrouded key, certificate
 *
 * Encryption is PBES2 with AES, as OpenSSL 3 writes it. Older files, with RC2
 * or 3DES, are recognised and refused.
 */
#ifndef CRYPTO_PKCS12_H
#define CRYPTO_PKCS12_H

#include "gateway/base/blob.h"

enum {
    PKCS12_CERTIFICATES_MAX = 16,
    PKCS12_ITERATIONS_MOST = 2000000, /* in the whole file: a few seconds */
};

enum pkcs12_result {
    PKCS12_OK,
    PKCS12_MALFORMED,
    PKCS12_LEGACY,   /* well formed, but encrypted in an outdated way */
    PKCS12_PASSWORD, /* it is not this one */
    PKCS12_MEMORY,
};

/* All DER, owned; the key is PKCS#8 without encryption. */
struct pkcs12 {
    struct blob key;
    size_t certificate_count;
    struct blob certificates[PKCS12_CERTIFICATES_MAX];
};

/* Takes it apart. The password is UTF-8. *out is to be cleared if PKCS12_OK
 * comes back, and holds nothing otherwise. */
MUST_USE enum pkcs12_result pkcs12_open(struct bytes der, struct bytes password,
                                        struct pkcs12 *out);
/* Wipes. */
void pkcs12_clear(struct pkcs12 *p);

/* The result without the password: never PKCS12_PASSWORD. */
MUST_USE enum pkcs12_result pkcs12_inspect(struct bytes der);

/* For a library's pkcs12_open(): *out gets what was found if nothing failed and
 * a key and a certificate are there; else it is wiped. */
enum pkcs12_result pkcs12_hand_out(enum pkcs12_result result,
                                   struct pkcs12 *found, struct pkcs12 *out);

/* A phrase for a person. */
const char *pkcs12_text(enum pkcs12_result result);

#endif
