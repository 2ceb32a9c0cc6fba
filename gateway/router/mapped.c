#include "gateway/router/mapped.h"

static uint16_t place_of(const struct mapped *m, const struct address *real)
{
    uint16_t i = 0;
    while (i < m->count && !address_equal(&m->entries[i].real, real))
        i++;
    return i;
}

bool mapped_set(struct mapped *m, const struct mapped_entry *entry)
{
    uint16_t i = place_of(m, &entry->real);
    if (!address_is_set(&entry->visible) && !address_is_set(&entry->gateway)) {
        if (i < m->count)
            m->entries[i] = m->entries[--m->count];
        return true;
    }
    if (i == MAPPED_MAX)
        return false;
    if (i == m->count)
        m->count++;
    m->entries[i] = *entry;
    return true;
}

struct mapped_entry mapped_find(const struct mapped *m,
                                const struct address *real)
{
    uint16_t i = place_of(m, real);
    return i < m->count ? m->entries[i] : (struct mapped_entry){.real = *real};
}
