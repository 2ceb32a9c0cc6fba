#include "qubesdb/rules_file.h"

#include "gateway/base/text.h"

/* NULL if the line was taken, else what is wrong with it. */
static const char *take_line(struct bytes line, struct store *out)
{
    char path[MESSAGE_PATH_SIZE], base[MESSAGE_PATH_SIZE];
    struct bytes value = line, word;
    struct address source;

    if (!text_cut(&value, ' ', &word) || !text_copy(path, sizeof path, word) ||
        !message_path_valid(path) || path[strlen(path) - 1] == '/')
        return "a line is PATH VALUE, and this is no path of QubesDB";
    enum keys_rules kind = keys_rules_of(path, base);
    if (kind == KEYS_NO_RULES)
        return "only paths below /qubes-firewall/ADDRESS are rules";
    if (!keys_rules_source(base, &source))
        return "the path does not name an address as QubesDB writes it";
    value = text_trim(value);
    if (!message_data_valid(value))
        return "the value is longer than QubesDB allows or holds a NUL";
    if (kind == KEYS_RULES_BASE && value.size)
        return "the base of a qube's rules has no value";
    if (kind == KEYS_RULES_PART && store_has(out, path))
        return "the path stands here twice";
    if (!store_set(out, path, value) ||
        !store_set(out, base, (struct bytes){NULL, 0}))
        return "there are more rules than this program takes";
    return NULL;
}

bool rules_file_parse(struct bytes text, const struct rules_file_env *env,
                      struct store *out)
{
    struct bytes line;
    bool good = true;

    *out = (struct store){0};
    for (unsigned number = 1; text_cut(&text, '\n', &line); number++) {
        line = text_trim(line);
        if (line.size == 0 || line.data[0] == '#')
            continue;
        const char *why = take_line(line, out);
        if (why) {
            env->report(env->context, number, why);
            good = false;
        }
    }
    if (!good)
        store_clear(out);
    return good;
}

void rules_file_each(const struct store *s, struct instant now, void *context,
                     void (*rules)(void *context, struct instant now,
                                   const struct rule_tree *tree))
{
    char base[MESSAGE_PATH_SIZE];
    struct rule_tree tree;

    for (size_t i = store_find(s, KEYS_RULES); i < s->count; i++) {
        if (keys_rules_of(s->entries[i]->path, base) != KEYS_RULES_BASE ||
            !rule_tree_read(&tree, s, base))
            continue;
        rules(context, now, &tree);
        rule_tree_clear(&tree);
    }
}
