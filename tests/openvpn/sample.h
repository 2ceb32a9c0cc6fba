/* Bytes for tests: the same at every run, and of exactly the size that they
 * are said to have, so that the sanitizer sees a read behind their end. */
#ifndef TESTS_OPENVPN_SAMPLE_H
#define TESTS_OPENVPN_SAMPLE_H

#include "gateway/base/bytes.h"

/* A sequence that `state` starts (splitmix64). */
struct sample {
    uint64_t state;
};

uint64_t sample_u64(struct sample *s);
/* Evenly enough of 0 .. bound - 1. */
uint32_t sample_below(struct sample *s, uint32_t bound);
void sample_fill(struct sample *s, void *out, size_t size);
/* A copy on the heap, not a byte larger; the caller frees it. */
uint8_t *sample_copy(struct bytes b);

#endif
