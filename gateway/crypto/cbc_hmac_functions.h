/* The implementations behind cbc_hmac.h: a library's functions over one pair of
 * keys. */
#ifndef CRYPTO_CBC_HMAC_FUNCTIONS_H
#define CRYPTO_CBC_HMAC_FUNCTIONS_H

#include "gateway/crypto/cbc_hmac.h"

struct cbc_hmac_functions {
    const char *library;
    /* NULL when memory is short or the CPU or the library cannot do it. */
    struct cbc_hmac *(*create)(const struct cbc_hmac_keys *keys);
    void (*destroy)(struct cbc_hmac *c);
    void (*seal)(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count);
    void (*open)(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count);
};

/* The first member of what create() returns. */
struct cbc_hmac {
    const struct cbc_hmac_functions *functions;
    size_t digest_size;
};

/* On a CPU that ipsecmb.h takes. */
extern const struct cbc_hmac_functions cbc_hmac_functions_ipsecmb;
/* The TLS library's: everywhere, slowly. */
extern const struct cbc_hmac_functions cbc_hmac_functions_portable;

#endif
