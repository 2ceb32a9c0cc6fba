#include "gateway/wireguard/data/staging.h"

#include <stdlib.h>

#include "gateway/base/secret.h"

static uint8_t *place_of(const struct staging *s, unsigned number)
{
    return s->memory + (size_t)(number % STAGING_MAX) * s->place;
}

enum staging_result staging_put(struct staging *s, struct bytes packet,
                                uint32_t largest)
{
    if (!s->memory) {
        s->place = largest;
        s->memory = malloc((size_t)STAGING_MAX * largest);
    }
    if (!s->memory || packet.size == 0 || packet.size > s->place)
        return STAGING_REFUSED;
    bool full = s->count == STAGING_MAX;
    if (full) {
        s->first = (uint16_t)((s->first + 1) % STAGING_MAX);
        s->count--;
    }
    unsigned number = (s->first + s->count) % STAGING_MAX;
    memcpy(place_of(s, number), packet.data, packet.size);
    s->sizes[number] = (uint16_t)packet.size;
    s->count++;
    return full ? STAGING_KEPT_FOR_ANOTHER : STAGING_KEPT;
}

bool staging_take(struct staging *s, struct bytes *out)
{
    if (s->count == 0) {
        staging_clear(s);
        return false;
    }
    *out = bytes_of(place_of(s, s->first), s->sizes[s->first]);
    s->first = (uint16_t)((s->first + 1) % STAGING_MAX);
    s->count--;
    return true;
}

unsigned staging_clear(struct staging *s)
{
    unsigned count = s->count;
    if (s->memory)
        secret_wipe(s->memory, (size_t)STAGING_MAX * s->place);
    free(s->memory);
    *s = (struct staging){0};
    return count;
}
