#include "qubesdb/rule_tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"

bool rule_tree_read(struct rule_tree *tree, const struct store *s,
                    const char *base)
{
    struct rule_tree t = {0};
    char below[MESSAGE_PATH_SIZE + 1];

    if (!keys_rules_source(base, &t.source))
        return false;
    t.present = store_has(s, base);

    size_t size =
        (size_t)snprintf(below, sizeof below, "%s/", base); /* always fits */
    size_t first = store_find(s, below), end = first;
    while (end < s->count && !strncmp(s->entries[end]->path, below, size))
        end++;
    if (t.present && end > first) {
        t.lines = calloc(end - first, sizeof *t.lines);
        if (!t.lines) {
            log_error("qubesdb: no memory for the rules of %s", base);
            t.present = false;
        }
        for (; t.present && t.count < end - first; t.count++) {
            const struct store_entry *e = s->entries[first + t.count];
            t.lines[t.count] =
                (struct rule_line){e->path + size, store_value(e)};
        }
    }
    *tree = t;
    return true;
}

void rule_tree_clear(struct rule_tree *tree)
{
    free(tree->lines);
    *tree = (struct rule_tree){0};
}
