#include "qubesdb/mirror.h"

#include <stdio.h>

#include "tests/unit.h"

struct told {
    char text[512];
};

static void add(struct told *t, const char *what, const char *path)
{
    size_t size = strlen(t->text);
    snprintf(t->text + size, sizeof t->text - size, "%s%s ", what, path);
}

static void on_rules(void *context, struct instant now,
                     const struct rule_tree *tree)
{
    char text[ADDRESS_TEXT_SIZE];
    (void)now;
    add(context, tree->present ? "+" : "-",
        address_format(&tree->source, text));
}

static void on_changed(void *context, struct instant now, const char *path)
{
    (void)now;
    add(context, "", path);
}

static void set(struct store *s, const char *path, const char *value)
{
    assert_true(store_set(s, path, bytes_of_text(value)));
}

static void a_scope_covers_what_it_says(void **state)
{
    (void)state;
    assert_true(mirror_covers(MIRROR_KEY, "/a", "/a"));
    assert_false(mirror_covers(MIRROR_KEY, "/a", "/a/b"));
    assert_false(mirror_covers(MIRROR_KEY, "/a", "/"));
    assert_true(mirror_covers(MIRROR_PREFIX, "/a/", "/a/b"));
    assert_true(mirror_covers(MIRROR_PREFIX, "/a", "/ab"));
    assert_true(mirror_covers(MIRROR_PREFIX, "", "/ab"));
    assert_false(mirror_covers(MIRROR_PREFIX, "/a/", "/a"));
    assert_true(mirror_covers(MIRROR_RULES, "/f/10.0.0.1", "/f/10.0.0.1"));
    assert_true(mirror_covers(MIRROR_RULES, "/f/10.0.0.1", "/f/10.0.0.1/x"));
    assert_false(mirror_covers(MIRROR_RULES, "/f/10.0.0.1", "/f/10.0.0.10"));
    assert_false(mirror_covers(MIRROR_RULES, "/f/10.0.0.1", "/f/10.0.0.10/x"));
    assert_false(mirror_covers(MIRROR_RULES, "/f/10.0.0.1", "/f/10.0.0."));
}

static void only_differences_within_the_scope_are_told(void **state)
{
    (void)state;
    struct told t = {0};
    const struct mirror_owner owner = {&t, on_rules, on_changed, NULL};
    struct instant now = {0};
    struct mirror m;
    struct store reading = {0};

    mirror_init(&m, &owner);
    set(&reading, "/vm-config/a", "1");
    set(&reading, "/vm-config/b", "1");
    set(&reading, "/vm-config/c", "1");
    set(&reading, "/qubes-ip", "1");
    set(&reading, "/qubes-firewall/10.0.0.1", "");
    assert_true(mirror_update(&m, now, MIRROR_PREFIX, "", &reading));
    store_clear(&reading);
    assert_string_equal(t.text,
                        "/qubes-ip /vm-config/a /vm-config/b /vm-config/c ");

    t = (struct told){0};
    set(&reading, "/vm-config/a", "1");
    set(&reading, "/vm-config/b", "2");
    set(&reading, "/vm-config/d", "1");
    assert_true(mirror_update(&m, now, MIRROR_PREFIX, "/vm-config/", &reading));
    store_clear(&reading);
    assert_string_equal(t.text, "/vm-config/b /vm-config/c /vm-config/d ");
    assert_int_equal(m.store.count, 5);
    assert_true(store_has(&m.store, "/qubes-ip"));
    assert_false(store_has(&m.store, "/vm-config/c"));

    t = (struct told){0};
    assert_true(mirror_update(&m, now, MIRROR_KEY, "/vm-config/a", &reading));
    assert_string_equal(t.text, "/vm-config/a ");
    mirror_clear(&m);
}

/* Leaves room for one empty entry, not for two. */
static void fill(struct store *s)
{
    static const uint8_t much[MESSAGE_DATA_MAX];
    char path[MESSAGE_PATH_SIZE];
    size_t n = 0;
    for (size_t size = sizeof much;; size = 0) {
        do
            snprintf(path, sizeof path, "/z/%zu", n);
        while (store_set(s, path, bytes_of(much, size)) && ++n);
        if (size == 0)
            break;
    }
    snprintf(path, sizeof path, "/z/%zu", n - 1);
    assert_true(store_remove(s, path));
}

static void what_half_a_reading_changed_is_told(void **state)
{
    (void)state;
    struct told t = {0};
    const struct mirror_owner owner = {&t, on_rules, on_changed, NULL};
    struct instant now = {0};
    struct mirror m;
    struct store reading = {0};
    struct bytes value;

    mirror_init(&m, &owner);
    set(&m.store, "/vm-config/a", "1");
    fill(&m.store);
    set(&reading, "/vm-config/a", "2");
    set(&reading, "/vm-config/b", "");
    set(&reading, "/vm-config/c", "");
    assert_false(
        mirror_update(&m, now, MIRROR_PREFIX, "/vm-config/", &reading));
    assert_true(store_get(&m.store, "/vm-config/a", &value));
    assert_memory_equal(value.data, "2", 1);
    assert_string_equal(t.text, "/vm-config/a /vm-config/b /vm-config/c ");
    store_clear(&reading);
    mirror_clear(&m);
}

static void the_end_of_rules_is_told_once(void **state)
{
    (void)state;
    struct told t = {0};
    const struct mirror_owner owner = {&t, on_rules, on_changed, NULL};
    struct instant now = {0};
    struct mirror m;
    struct store reading = {0}, none = {0};

    mirror_init(&m, &owner);
    set(&reading, "/qubes-firewall/10.0.0.1", "");
    set(&reading, "/qubes-firewall/10.0.0.2", "");
    set(&reading, "/qubes-firewall/10.0.0.3/policy", "accept");
    assert_true(mirror_update(&m, now, MIRROR_PREFIX, "", &reading));
    mirror_tell_all_rules(&m, now, &none);
    assert_string_equal(t.text, "+10.0.0.1 +10.0.0.2 ");

    t = (struct told){0};
    store_clear(&reading);
    assert_true(mirror_update(&m, now, MIRROR_PREFIX, "", &reading));
    set(&reading, "/qubes-firewall/10.0.0.2", "");
    mirror_tell_all_rules(&m, now, &reading); /* .2 is being rewritten */
    assert_string_equal(t.text, "-10.0.0.1 ");
    mirror_tell_all_rules(&m, now, &none);
    mirror_tell_all_rules(&m, now, &none);
    mirror_tell_rules(&m, now, "/qubes-firewall/10.0.0.2");
    assert_string_equal(t.text, "-10.0.0.1 -10.0.0.2 ");
    store_clear(&reading);
    mirror_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_covers_what_it_says),
        cmocka_unit_test(only_differences_within_the_scope_are_told),
        cmocka_unit_test(what_half_a_reading_changed_is_told),
        cmocka_unit_test(the_end_of_rules_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
