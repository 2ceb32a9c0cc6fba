#include "qubesdb/store.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

static size_t cost_of(size_t value_size)
{
    return sizeof(struct store_entry) + sizeof(struct store_entry *) +
           value_size;
}

void store_clear(struct store *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->entries[i]);
    free(s->entries);
    *s = (struct store){0};
}

size_t store_find(const struct store *s, const char *path)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(s->entries[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct store *s, size_t index, const char *path)
{
    return index < s->count && !strcmp(s->entries[index]->path, path);
}

bool store_has(const struct store *s, const char *path)
{
    return stands_at(s, store_find(s, path), path);
}

bool store_get(const struct store *s, const char *path, struct bytes *value)
{
    size_t index = store_find(s, path);
    if (!stands_at(s, index, path))
        return false;
    *value = store_value(s->entries[index]);
    return true;
}

static bool grow(struct store *s)
{
    if (s->count < s->capacity)
        return true;
    size_t capacity = s->capacity ? 2 * s->capacity : FIRST_CAPACITY;
    struct store_entry **entries =
        reallocarray(s->entries, capacity, sizeof(struct store_entry *));
    if (!entries)
        return false;
    s->entries = entries;
    s->capacity = capacity;
    return true;
}

bool store_set(struct store *s, const char *path, struct bytes value)
{
    size_t path_size = strlen(path), index = store_find(s, path);
    bool replaces = stands_at(s, index, path);
    size_t freed = replaces ? cost_of(s->entries[index]->size) : 0;

    if (path_size >= MESSAGE_PATH_SIZE || value.size > MESSAGE_DATA_MAX ||
        s->cost - freed + cost_of(value.size) > STORE_COST_MAX)
        return false;
    if (!replaces && !grow(s))
        return false;
    struct store_entry *entry = calloc(1, sizeof *entry + value.size);
    if (!entry)
        return false;
    memcpy(entry->path, path, path_size);
    entry->size = (uint16_t)value.size;
    if (value.size)
        memcpy(entry->value, value.data, value.size);

    if (replaces) {
        free(s->entries[index]);
    } else {
        memmove(&s->entries[index + 1], &s->entries[index],
                (s->count - index) * sizeof(struct store_entry *));
        s->count++;
    }
    s->entries[index] = entry;
    s->cost += cost_of(value.size) - freed;
    return true;
}

bool store_remove(struct store *s, const char *path)
{
    size_t index = store_find(s, path);
    if (!stands_at(s, index, path))
        return false;
    s->cost -= cost_of(s->entries[index]->size);
    free(s->entries[index]);
    s->count--;
    memmove(&s->entries[index], &s->entries[index + 1],
            (s->count - index) * sizeof(struct store_entry *));
    return true;
}
