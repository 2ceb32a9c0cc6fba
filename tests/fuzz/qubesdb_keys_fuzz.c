#include "qubesdb/keys.h"

#include "gateway/base/text.h"
#include "qubesdb/rule_tree.h"
#include "tests/fuzz/target.h"
#include <stdio.h>

/* A line of the input is a path, a blank, and a value. */
static void fill(struct store *s, struct bytes text)
{
    struct bytes line, word;
    char path[MESSAGE_PATH_SIZE];
    while (text_cut(&text, '\n', &line)) {
        if (text_cut(&line, ' ', &word) && text_copy(path, sizeof path, word) &&
            message_data_valid(line))
            check(store_set(s, path, line) || s->cost > STORE_COST_MAX / 2);
    }
}

static void check_tree(const struct store *s, const char *base)
{
    struct rule_tree tree;
    char path[MESSAGE_PATH_SIZE + 1];
    struct bytes value;

    if (!rule_tree_read(&tree, s, base))
        return;
    check(tree.present == store_has(s, base));
    check(tree.present || tree.count == 0);
    for (size_t i = 0; i < tree.count; i++) {
        const struct rule_line *line = &tree.lines[i];
        size_t size =
            (size_t)snprintf(path, sizeof path, "%s/%s", base, line->name);
        check(size < MESSAGE_PATH_SIZE && store_get(s, path, &value));
        check(bytes_equal(value, line->value));
        check(i == 0 || strcmp(tree.lines[i - 1].name, line->name) < 0);
    }
    rule_tree_clear(&tree);
}

static void read_everything(const struct store *s)
{
    struct keys_own own;
    struct keys_mapped mapped;
    struct address a;
    char base[MESSAGE_PATH_SIZE];

    keys_own(s, &own);
    check(strnlen(own.name, sizeof own.name) < sizeof own.name);
    check(own.ip.family != ADDRESS_IPV6 && own.ip6.family != ADDRESS_IPV4);
    for (size_t i = 0; i < s->count; i++) {
        const char *path = s->entries[i]->path;
        check(i == 0 || strcmp(s->entries[i - 1]->path, path) < 0);
        check(!keys_vm_config_name(path) || keys_wanted(path));
        if (keys_mapped_source(path, &a)) {
            keys_mapped(s, &a, &mapped);
            check(!address_is_set(&mapped.visible_ip) ||
                  mapped.visible_ip.family == a.family);
            keys_handled(s, &a);
        }
        if (keys_rules_of(path, base) != KEYS_NO_RULES) {
            check(!strncmp(path, base, strlen(base)) && keys_wanted(path));
            check_tree(s, base);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store s = {0};

    be_quiet();
    fill(&s, bytes_of(data, size));
    read_everything(&s);
    store_clear(&s);
    return 0;
}
