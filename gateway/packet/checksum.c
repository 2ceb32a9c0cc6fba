#include "gateway/packet/checksum.h"

/* Words are added as memory holds them: the ones' complement sum does not
 * care about byte order until it is folded (RFC 1071 2B). Halves of 32 bits in
 * 64-bit counters need no carry, so that vectors can add them: of 32 bytes
 * where the CPU has AVX2, else of 16. Both are the same text, inlined into
 * functions for the one and the other. */
typedef uint64_t narrow __attribute__((vector_size(16)));
typedef uint64_t wide __attribute__((vector_size(32)));

enum {
    STEP = 2 * sizeof(narrow),
    WIDE_STEP = 2 * sizeof(wide),
    WIDE_FROM = 4 * WIDE_STEP, /* fewer bytes do not repay the choice */
};

/* Adds up a multiple of two vectors, as a sum in native order; and copies it
 * unless `to` is NULL. */
#define SUM_STEPS(vector, to, from, size)                                      \
    do {                                                                       \
        vector low = {0}, high = {0}, a, b;                                    \
        for (size_t at = 0; at < (size); at += 2 * sizeof(vector)) {           \
            memcpy(&a, (from) + at, sizeof a);                                 \
            memcpy(&b, (from) + at + sizeof a, sizeof b);                      \
            if (to) {                                                          \
                memcpy((to) + at, &a, sizeof a);                               \
                memcpy((to) + at + sizeof a, &b, sizeof b);                    \
            }                                                                  \
            low += (a & 0xffffffff) + (b & 0xffffffff);                        \
            high += (a >> 32) + (b >> 32);                                     \
        }                                                                      \
        low += high; /* 2^32 counts as one, and nothing overflows */           \
        uint64_t total = 0;                                                    \
        for (size_t i = 0; i < sizeof(vector) / sizeof(uint64_t); i++)         \
            total += low[i];                                                   \
        return total;                                                          \
    } while (0)

__attribute__((target("avx2"))) static uint64_t
sum_wide(uint8_t *to, const uint8_t *from, size_t size)
{
    SUM_STEPS(wide, to, from, size);
}

static uint64_t sum_narrow(uint8_t *to, const uint8_t *from, size_t size)
{
    SUM_STEPS(narrow, to, from, size);
}

/* A multiple of STEP bytes. */
static inline uint64_t sum_steps(uint8_t *to, const uint8_t *from, size_t size)
{
    uint64_t sum = 0;
    if (size >= WIDE_FROM && __builtin_cpu_supports("avx2")) {
        size_t steps = size - size % WIDE_STEP;
        sum = sum_wide(to, from, steps);
        from += steps;
        if (to)
            to += steps;
        size -= steps;
    }
    return size > 0 ? sum + sum_narrow(to, from, size) : sum;
}

/* Fewer bytes than a step; the odd one is a high byte, the first in memory. */
static inline uint64_t sum_tail(const uint8_t *p, size_t size)
{
    uint64_t total = 0;
    for (; size >= 4; p += 4, size -= 4) {
        uint32_t word;
        memcpy(&word, p, sizeof word);
        total += word;
    }
    if (size >= 2) {
        uint16_t word;
        memcpy(&word, p, sizeof word);
        total += word;
        p += 2;
        size -= 2;
    }
    if (size) {
        const uint8_t last[2] = {*p, 0};
        uint16_t word;
        memcpy(&word, last, sizeof word);
        total += word;
    }
    return total;
}

static inline uint16_t to_big_endian(uint64_t native_sum)
{
    uint16_t folded = checksum_fold(native_sum);
    uint8_t memory[2];
    memcpy(memory, &folded, sizeof memory);
    return load_u16(memory);
}

uint16_t checksum_sum(const uint8_t *data, size_t size)
{
    size_t steps = size - size % STEP;
    return to_big_endian(sum_steps(NULL, data, steps) +
                         sum_tail(data + steps, size - steps));
}

uint16_t checksum_sum_copy(uint8_t *to, const uint8_t *from, size_t size)
{
    size_t steps = size - size % STEP;
    uint64_t sum = sum_steps(to, from, steps);
    if (size > steps)
        memcpy(to + steps, from + steps, size - steps);
    return to_big_endian(sum + sum_tail(from + steps, size - steps));
}

uint32_t checksum_pseudo(const uint8_t *source, const uint8_t *destination,
                         size_t address_size, uint8_t protocol,
                         uint32_t transport_size)
{
    uint32_t sum = protocol;
    for (size_t i = 0; i < address_size; i += 2)
        sum += (uint32_t)load_u16(source + i) + load_u16(destination + i);
    return sum + (transport_size >> 16) + (transport_size & 0xffff);
}
