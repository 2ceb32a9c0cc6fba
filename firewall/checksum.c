#include "firewall/checksum.h"

/* Words are added as memory holds them: the ones' complement sum does not
 * care about byte order until it is folded (RFC 1071 2B). Lanes of 32-bit
 * halves in 64-bit counters need no carry, so that vectors can do it. */
typedef uint64_t lanes __attribute__((vector_size(16)));

enum { STEP = 2 * sizeof(lanes) };

struct lane_sums {
    lanes low, high;
};

static inline void add_step(struct lane_sums *sums, lanes a, lanes b)
{
    const lanes halves = {0xffffffff, 0xffffffff};
    sums->low += (a & halves) + (b & halves);
    sums->high += (a >> 32) + (b >> 32);
}

static inline uint64_t total_of(const struct lane_sums *sums)
{
    uint64_t total = 0;
    for (int i = 0; i < 2; i++)
        total += checksum_fold(sums->low[i]) + checksum_fold(sums->high[i]);
    return total;
}

/* At most 31 bytes; the odd one is a high byte, the first in memory. */
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
    struct lane_sums sums = {0};
    for (; size >= STEP; data += STEP, size -= STEP) {
        lanes v[2];
        memcpy(v, data, sizeof v);
        add_step(&sums, v[0], v[1]);
    }
    return to_big_endian(total_of(&sums) + sum_tail(data, size));
}

uint16_t checksum_sum_copy(uint8_t *to, const uint8_t *from, size_t size)
{
    struct lane_sums sums = {0};
    for (; size >= STEP; from += STEP, to += STEP, size -= STEP) {
        lanes v[2];
        memcpy(v, from, sizeof v);
        memcpy(to, v, sizeof v);
        add_step(&sums, v[0], v[1]);
    }
    if (size)
        memcpy(to, from, size);
    return to_big_endian(total_of(&sums) + sum_tail(from, size));
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
