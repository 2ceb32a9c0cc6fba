#include "tests/openvpn/sample.h"

#include <stdlib.h>

uint64_t sample_u64(struct sample *s)
{
    uint64_t z = s->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint32_t sample_below(struct sample *s, uint32_t bound)
{
    return (uint32_t)(sample_u64(s) >> 32) % bound;
}

void sample_fill(struct sample *s, void *out, size_t size)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)sample_u64(s);
}

uint8_t *sample_copy(struct bytes b)
{
    uint8_t *copy = malloc(b.size);
    if (b.size > 0)
        memcpy(copy, b.data, b.size);
    return copy;
}
