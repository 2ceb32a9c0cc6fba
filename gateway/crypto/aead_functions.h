/*
 * The implementations behind aead.h: a library's functions over one key. Each
 * library is a file with one such table; aead.c picks between them.
 */
#ifndef CRYPTO_AEAD_FUNCTIONS_H
#define CRYPTO_AEAD_FUNCTIONS_H

#include "gateway/crypto/aead.h"

struct aead_functions {
    const char *library;
    /* NULL when memory is short or the CPU or the library cannot do it. */
    struct aead *(*create)(enum aead_cipher cipher, const uint8_t *key);
    void (*destroy)(struct aead *aead);
    void (*seal)(struct aead *aead, struct aead_job *jobs, size_t count);
    void (*open)(struct aead *aead, struct aead_job *jobs, size_t count);
};

/* The first member of what create() returns. */
struct aead {
    const struct aead_functions *functions;
};

/* On a CPU that ipsecmb.h takes. */
extern const struct aead_functions aead_functions_ipsecmb;
/* The TLS library's: everywhere, slowly. */
extern const struct aead_functions aead_functions_portable;

#endif
