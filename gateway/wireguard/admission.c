#include "gateway/wireguard/admission.h"

void admission_init(struct admission *a, const uint8_t random[16])
{
    *a = (struct admission){.key = {load_u64(random), load_u64(random + 8)}};
}

bool admission_loaded(struct admission *a, struct instant now)
{
    if (!token_bucket_take(&a->ease, now, ADMISSION_EASE, ADMISSION_EASE_BURST))
        a->loaded_until =
            instant_after(now, duration_seconds(ADMISSION_LOADED_FOR));
    return instant_before(now, a->loaded_until);
}

bool admission_take(struct admission *a, struct instant now,
                    const struct address *source)
{
    size_t size = source->family == ADDRESS_IPV6 ? 8 : 4;
    uint64_t hash = siphash(&a->key, source->bytes, size);
    return token_bucket_take(&a->sources[hash % ADMISSION_SOURCES], now,
                             ADMISSION_SOURCE, ADMISSION_SOURCE_BURST);
}
