#include "gateway/process/randomness.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

void randomness_fill(void *context, uint8_t *out, size_t size)
{
    (void)context;
    while (size > 0) {
        ssize_t n = getrandom(out, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        assert(n > 0);
        out += n;
        size -= (size_t)n;
    }
}
