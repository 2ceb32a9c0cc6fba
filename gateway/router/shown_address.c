#include "gateway/router/shown_address.h"

static uint16_t place_of(const struct shown_address *m,
                         const struct address *real)
{
    uint16_t i = 0;
    while (i < m->count && !address_equal(&m->entries[i].real, real))
        i++;
    return i;
}

bool shown_address_set(struct shown_address *m,
                       const struct shown_address_entry *entry)
{
    uint16_t i = place_of(m, &entry->real);
    if (!address_is_set(&entry->visible) && !address_is_set(&entry->gateway)) {
        if (i < m->count)
            m->entries[i] = m->entries[--m->count];
        return true;
    }
    if (i == SHOWN_ADDRESS_MAX)
        return false;
    if (i == m->count)
        m->count++;
    m->entries[i] = *entry;
    return true;
}

struct shown_address_entry shown_address_find(const struct shown_address *m,
                                              const struct address *real)
{
    uint16_t i = place_of(m, real);
    return i < m->count ? m->entries[i]
                        : (struct shown_address_entry){.real = *real};
}
