/* Private keys: PEM or DER, PKCS#8 or the older shapes, encrypted or not. */
#ifndef CRYPTO_PRIVATE_KEY_H
#define CRYPTO_PRIVATE_KEY_H

#include "gateway/crypto/certificates.h"
#include "gateway/crypto/tls_random.h"

enum { PRIVATE_KEY_WHY_SIZE = 128 };

enum private_key_result {
    PRIVATE_KEY_OK,
    PRIVATE_KEY_LOCKED,   /* encrypted, and no password was given */
    PRIVATE_KEY_PASSWORD, /* it is not this one */
    PRIVATE_KEY_FOREIGN,  /* `why` says of what kind: "an Ed25519 key" */
    PRIVATE_KEY_BAD,      /* `why` says what is wrong */
};

struct private_key;

/* On PRIVATE_KEY_OK *out is the caller's, else NULL. `text` has a NUL behind
 * its end; `random` is borrowed for the call. */
MUST_USE enum private_key_result
private_key_read(struct bytes text, struct bytes password,
                 const struct tls_random *random, struct private_key **out,
                 char why[PRIVATE_KEY_WHY_SIZE]);
/* Wipes. */
void private_key_free(struct private_key *k);

/* Whether it is that certificate's. */
bool private_key_belongs(const struct private_key *k,
                         const struct certificates *c, size_t index,
                         const struct tls_random *random);

#endif
