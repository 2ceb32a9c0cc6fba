#include "gateway/wireguard/index_table.h"

#include <assert.h>
#include <stdlib.h>

bool index_table_init(struct index_table *t, uint32_t most)
{
    uint32_t size = 16;
    while (size < 2 * most)
        size *= 2;
    t->mask = size - 1;
    t->entries = malloc(size * sizeof *t->entries);
    for (uint32_t i = 0; t->entries && i < size; i++)
        t->entries[i].peer = INDEX_TABLE_NOBODY;
    return t->entries != NULL;
}

void index_table_clear(struct index_table *t)
{
    free(t->entries);
    *t = (struct index_table){0};
}

/* The entry of an index, or the free one where it would be. */
static uint32_t place_of(const struct index_table *t, uint32_t index)
{
    uint32_t i = index & t->mask;
    while (t->entries[i].peer != INDEX_TABLE_NOBODY &&
           t->entries[i].index != index)
        i = (i + 1) & t->mask;
    return i;
}

uint16_t index_table_find(const struct index_table *t, uint32_t index)
{
    return t->entries[place_of(t, index)].peer;
}

void index_table_add(struct index_table *t, uint32_t index, uint16_t peer)
{
    uint32_t i = place_of(t, index);
    assert(t->entries[i].peer == INDEX_TABLE_NOBODY);
    t->entries[i].index = index;
    t->entries[i].peer = peer;
}

/* An entry that stands behind a gap and would be sought in front of it moves.
 * */
void index_table_remove(struct index_table *t, uint32_t index)
{
    uint32_t gap = place_of(t, index);
    if (t->entries[gap].peer == INDEX_TABLE_NOBODY)
        return;
    for (uint32_t i = (gap + 1) & t->mask;
         t->entries[i].peer != INDEX_TABLE_NOBODY; i = (i + 1) & t->mask) {
        uint32_t home = t->entries[i].index & t->mask;
        if (((i - home) & t->mask) < ((i - gap) & t->mask))
            continue;
        t->entries[gap] = t->entries[i];
        gap = i;
    }
    t->entries[gap].peer = INDEX_TABLE_NOBODY;
}
