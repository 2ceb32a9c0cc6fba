/* The source of TLS's randomness, so that a run can be repeated. A part of a
 * library that asks the system itself says so where it is used. */
#ifndef CRYPTO_TLS_RANDOM_H
#define CRYPTO_TLS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Cannot fail. */
struct tls_random {
    void *context;
    void (*fill)(void *context, uint8_t *out, size_t size);
};

#endif
