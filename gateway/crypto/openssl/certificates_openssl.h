/* OpenSSL's certificates in our words, for the files of this room. */
#ifndef CRYPTO_OPENSSL_CERTIFICATES_OPENSSL_H
#define CRYPTO_OPENSSL_CERTIFICATES_OPENSSL_H

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "gateway/crypto/certificates.h"

/* A certificate and what its facts are borrowed from. */
struct certificate_openssl {
    X509 *x;                      /* own reference */
    uint8_t *der;                 /* OpenSSL's */
    EXTENDED_KEY_USAGE *purposes; /* owned, or NULL */
    struct certificate facts;
};

struct certificates {
    size_t count, capacity;
    struct certificate_openssl *all; /* owned */
    STACK_OF(X509) * stack;          /* the same, borrowed */
};

struct revocations {
    STACK_OF(X509_CRL) * lists;
};

/* s since 1970; 0 if it is no time. */
int64_t certificates_openssl_time(const ASN1_TIME *t);

/* Takes a reference of its own. False when memory is short. */
MUST_USE bool certificates_openssl_wrap(struct certificate_openssl *c, X509 *x);
void certificates_openssl_unwrap(struct certificate_openssl *c);

/* Verifies the chain that `context` was made for, and asks the judge about each
 * of its certificates. The faults that remain of all. `now` is s since 1970. */
uint32_t certificates_openssl_verify(X509_STORE_CTX *context,
                                     const struct certificates *authorities,
                                     const struct revocations *revoked,
                                     enum certificate_strength strength,
                                     const struct certificate_judge *judge,
                                     int64_t now);
/* The fault, if extKeyUsage is stated and names neither this end of TLS nor
 * any. */
uint32_t certificates_openssl_purpose(X509 *x, bool server);
/* OpenSSL's code whose alert tells the peer about a fault. */
int certificates_openssl_code(uint32_t faults);

/* The bytes of each PEM block whose mark is `name`, or the text itself if it
 * holds no PEM, go to `take`. */
void certificates_openssl_each(struct bytes text, const char *name,
                               void (*take)(void *context, struct bytes der),
                               void *context);

#endif
