/*
 * Finds the owner of the index that a message was sent to: a hash table,
 * because its values come from the network. They are our own random numbers, so
 * they are their own hash.
 */
#ifndef WIREGUARD_INDEX_TABLE_H
#define WIREGUARD_INDEX_TABLE_H

#include "gateway/base/bytes.h"

enum { INDEX_TABLE_NOBODY = 0xffff };

struct index_table {
    struct index_table_entry {
        uint32_t index;
        uint16_t peer; /* NOBODY: the entry is free */
    } * entries;
    uint32_t mask; /* entries - 1, a power of two */
};

/* For at most so many indices at a time. False when memory is short. */
MUST_USE bool index_table_init(struct index_table *t, uint32_t most);
void index_table_clear(struct index_table *t);

uint16_t index_table_find(const struct index_table *t, uint32_t index);
/* The index is not in it. */
void index_table_add(struct index_table *t, uint32_t index, uint16_t peer);
void index_table_remove(struct index_table *t, uint32_t index);

#endif
