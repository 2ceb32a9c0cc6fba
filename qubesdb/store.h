/*
 * Paths and their values as they were read from QubesDB, in the order of
 * strcmp(). It bounds what a database may cost: what does not fit is refused.
 */
#ifndef QUBESDB_STORE_H
#define QUBESDB_STORE_H

#include "qubesdb/message.h"

enum { STORE_COST_MAX = 2 << 20 /* bytes; a usual database has 10 KiB */ };

struct store_entry {
    char path[MESSAGE_PATH_SIZE];
    uint16_t size;
    uint8_t value[];
};

struct store {
    struct store_entry **entries; /* ascending */
    size_t count;
    size_t capacity;
    size_t cost;
};

/* An empty store is all zero. */
void store_clear(struct store *s);

/* True if the path is there; the value is borrowed until the store changes. */
bool store_get(const struct store *s, const char *path, struct bytes *value);
bool store_has(const struct store *s, const char *path);

/* False if the store is full or memory is short; nothing is changed then. */
MUST_USE bool store_set(struct store *s, const char *path, struct bytes value);

/* True if the path was there. */
bool store_remove(struct store *s, const char *path);

/* Index of the first path that is not below `path` in the order. All paths
 * with a common beginning stand together from there on. */
size_t store_find(const struct store *s, const char *path);

static inline struct bytes store_value(const struct store_entry *e)
{
    return bytes_of(e->value, e->size);
}

#endif
