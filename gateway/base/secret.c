#include "gateway/base/secret.h"

void secret_wipe(void *memory, size_t size)
{
    if (size > 0) /* nothing may lie nowhere */
        explicit_bzero(memory, size);
}

bool secret_equal(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.size; i++)
        difference |= (uint8_t)(a.data[i] ^ b.data[i]);
    return difference == 0;
}
