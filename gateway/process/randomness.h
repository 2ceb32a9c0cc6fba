/* The kernel's cryptographic randomness. */
#ifndef PROCESS_RANDOMNESS_H
#define PROCESS_RANDOMNESS_H

#include <stddef.h>
#include <stdint.h>

/* Fills `out`; aborts where the kernel has none, because no key would be
 * safe. `context` is not used: the shape of client_env.random. */
void randomness_fill(void *context, uint8_t *out, size_t size);

#endif
