#include "qubesdb/mirror.h"

#include "gateway/base/log.h"

void mirror_init(struct mirror *m, const struct mirror_owner *owner)
{
    *m = (struct mirror){.owner = owner};
}

void mirror_clear(struct mirror *m)
{
    store_clear(&m->store);
    store_clear(&m->told);
}

bool mirror_covers(enum mirror_scope scope, const char *path,
                   const char *candidate)
{
    size_t size = strlen(path);
    switch (scope) {
    case MIRROR_KEY:
        return !strcmp(candidate, path);
    case MIRROR_PREFIX:
        return !strncmp(candidate, path, size);
    case MIRROR_RULES:
        return !strncmp(candidate, path, size) &&
               (candidate[size] == '\0' || candidate[size] == '/');
    }
    return false;
}

static bool same_in(const struct store *s, const struct store_entry *entry)
{
    struct bytes value;
    return store_get(s, entry->path, &value) &&
           bytes_equal(value, store_value(entry));
}

/* Paths that `a` has and `b` has not, or has with another value. */
static bool collect(struct store *changes, enum mirror_scope scope,
                    const char *path, const struct store *a,
                    const struct store *b)
{
    char base[MESSAGE_PATH_SIZE];
    static const struct bytes nothing = {NULL, 0};

    for (size_t i = store_find(a, path); i < a->count; i++) {
        const struct store_entry *entry = a->entries[i];
        if (!mirror_covers(MIRROR_PREFIX, path, entry->path))
            break;
        if (!mirror_covers(scope, path, entry->path) || same_in(b, entry) ||
            keys_rules_of(entry->path, base) != KEYS_NO_RULES)
            continue;
        if (!store_set(changes, entry->path, nothing))
            return false;
    }
    return true;
}

static void drop_scope(struct store *s, enum mirror_scope scope,
                       const char *path, const struct store *except)
{
    for (size_t i = store_find(s, path); i < s->count;) {
        char name[MESSAGE_PATH_SIZE];
        memcpy(name, s->entries[i]->path, sizeof name);
        if (!mirror_covers(MIRROR_PREFIX, path, name))
            break;
        if (mirror_covers(scope, path, name) && !store_has(except, name))
            store_remove(s, name);
        else
            i++;
    }
}

static bool take_over(struct store *s, enum mirror_scope scope,
                      const char *path, struct store *reading)
{
    if (scope == MIRROR_PREFIX && path[0] == '\0') {
        store_clear(s);
        *s = *reading;
        *reading = (struct store){0};
        return true;
    }
    drop_scope(s, scope, path, reading);
    for (size_t i = 0; i < reading->count; i++) {
        const struct store_entry *entry = reading->entries[i];
        if (!store_set(s, entry->path, store_value(entry)))
            return false;
    }
    return true;
}

bool mirror_update(struct mirror *m, struct instant now,
                   enum mirror_scope scope, const char *path,
                   struct store *reading)
{
    struct store changes = {0};
    bool collected = collect(&changes, scope, path, &m->store, reading) &&
                     collect(&changes, scope, path, reading, &m->store);
    bool done = collected && take_over(&m->store, scope, path, reading);
    if (collected) {
        /* Also after half a take-over: the next reading is compared with what
         * the store has by then, and would not tell these again. */
        for (size_t i = 0; i < changes.count; i++)
            m->owner->changed(m->owner->context, now, changes.entries[i]->path);
    }
    store_clear(&changes);
    return done;
}

void mirror_tell_rules(struct mirror *m, struct instant now, const char *base)
{
    struct rule_tree tree;
    if (!rule_tree_read(&tree, &m->store, base)) {
        log_warn("qubesdb: %s is ignored: not an address as Qubes writes it",
                 base);
        return;
    }
    if (!tree.present) {
        if (!store_remove(&m->told, base))
            return; /* nor does the owner know of any */
    } else if (!store_has(&m->told, base) &&
               !store_set(&m->told, base, (struct bytes){NULL, 0})) {
        /* The end of these rules could not be told, so neither is their
         * beginning: for the owner there are none. */
        log_error("qubesdb: too many sources with rules: %s is ignored", base);
        rule_tree_clear(&tree);
        return;
    }
    m->owner->rules(m->owner->context, now, &tree);
    rule_tree_clear(&tree);
}

void mirror_tell_all_rules(struct mirror *m, struct instant now,
                           const struct store *unsettled)
{
    char base[MESSAGE_PATH_SIZE];

    /* From the end, because telling an end removes it from `told`. */
    for (size_t i = m->told.count; i-- > 0;) {
        memcpy(base, m->told.entries[i]->path, sizeof base);
        if (!store_has(&m->store, base) && !store_has(unsettled, base))
            mirror_tell_rules(m, now, base);
    }
    for (size_t i = store_find(&m->store, KEYS_RULES); i < m->store.count;
         i++) {
        const char *path = m->store.entries[i]->path;
        if (!mirror_covers(MIRROR_PREFIX, KEYS_RULES, path))
            break;
        if (keys_rules_of(path, base) == KEYS_RULES_BASE &&
            !store_has(unsettled, base)) {
            mirror_tell_rules(m, now, base);
            /* The owner may have written a key that stands before it. */
            i = store_find(&m->store, base);
        }
    }
}
