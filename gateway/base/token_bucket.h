/* So many a second, and so many at once. Starts full. */
#ifndef BASE_TOKEN_BUCKET_H
#define BASE_TOKEN_BUCKET_H

#include "gateway/base/instant.h"

struct token_bucket {
    int64_t full_at_us; /* when it is full again; past: it is */
};

/* Takes one if there is one. A bucket is the moment when it will be full, so
 * an empty one is `burst` tokens' time ahead of now. */
static inline bool token_bucket_take(struct token_bucket *b, struct instant now,
                                     uint32_t per_second, uint32_t burst)
{
    int64_t each = 1000000 / (int64_t)per_second;
    int64_t full_at = b->full_at_us > now.us ? b->full_at_us : now.us;
    if (full_at + each > now.us + each * (int64_t)burst)
        return false;
    b->full_at_us = full_at + each;
    return true;
}

#endif
