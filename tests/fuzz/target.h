/* Shared by the fuzz targets: the fuzzer's entry, a check that it sees fail,
 * silence, and random numbers that are the same for the same input. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stdlib.h>

#include "gateway/base/bytes.h"
#include "gateway/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool holds)
{
    if (!holds)
        abort();
}

static inline void say_nothing(void *context, enum log_level level,
                               const char *line)
{
    (void)context, (void)level, (void)line;
}

static inline void be_quiet(void)
{
    log_set_sink(say_nothing, NULL);
}

/* `context` is the state, a uint32_t. */
static inline void fill_random(void *context, uint8_t *out, size_t size)
{
    uint32_t *state = context;
    for (size_t i = 0; i < size; i++) {
        *state = *state * 1664525 + 1013904223;
        out[i] = (uint8_t)(*state >> 24);
    }
}

/* 2033, in every input; `context` is nobody's. */
static inline uint32_t unix_time(void *context)
{
    (void)context;
    return 2000000000;
}

#endif
