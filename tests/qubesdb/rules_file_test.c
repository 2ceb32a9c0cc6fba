#include "qubesdb/rules_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct reports {
    unsigned count, last_line;
    char told[512];
};

static void report(void *context, unsigned line, const char *text)
{
    struct reports *r = context;
    assert_true(strlen(text) > 0);
    r->count++;
    r->last_line = line;
}

static void tell(void *context, struct instant now,
                 const struct rule_tree *tree)
{
    struct reports *r = context;
    size_t size = strlen(r->told);
    char text[ADDRESS_TEXT_SIZE];
    (void)now;
    assert_true(tree->present);
    size += (size_t)snprintf(r->told + size, sizeof r->told - size,
                             "%s:", address_format(&tree->source, text));
    for (size_t i = 0; i < tree->count; i++)
        size += (size_t)snprintf(r->told + size, sizeof r->told - size,
                                 "%s=%.*s;", tree->lines[i].name,
                                 (int)tree->lines[i].value.size,
                                 (const char *)tree->lines[i].value.data);
}

static bool parse(const char *text, struct reports *r)
{
    struct store s;
    const struct rules_file_env env = {r, report};
    *r = (struct reports){0};
    bool good = rules_file_parse(bytes_of_text(text), &env, &s);
    assert_int_equal(good, r->count == 0);
    if (!good)
        assert_int_equal(s.count, 0);
    rules_file_each(&s, (struct instant){0}, r, tell);
    store_clear(&s);
    return good;
}

static void rules_of_several_qubes_are_read(void **state)
{
    (void)state;
    struct reports r;
    assert_true(parse("# two qubes\n"
                      "/qubes-firewall/10.137.0.20/policy drop\n"
                      "\n"
                      "/qubes-firewall/10.137.0.20/0001 action=accept "
                      "proto=tcp dstports=443-443\r\n"
                      "  /qubes-firewall/10.137.0.20/0000   action=drop  \n"
                      "/qubes-firewall/fd09::a/policy accept\n"
                      "/qubes-firewall/10.137.0.20\n"
                      "/qubes-firewall/10.137.0.30 \n",
                      &r));
    assert_string_equal(
        r.told, "10.137.0.20:0000=action=drop;0001=action=accept proto=tcp "
                "dstports=443-443;policy=drop;10.137.0.30:"
                "fd09::a:policy=accept;");
}

static void an_empty_file_has_no_rules(void **state)
{
    (void)state;
    struct reports r;
    assert_true(parse("", &r));
    assert_string_equal(r.told, "");
    assert_true(parse("#\n\n   \n", &r));
    assert_string_equal(r.told, "");
}

static void a_broken_line_spoils_the_file(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "rubbish",
        "/qubes-ip 10.137.0.1",
        "/qubes-firewall/ x",
        "/qubes-firewall/10.137.0.20/ x",
        "/qubes-firewall/10.137.0.020/policy drop",
        "/qubes-firewall/qube/policy drop",
        "/qubes-firewall/10.137.0.20 value",
        "/qubes-firewall/10.137.0.20/0000\tdrop",
        "/qubes-firewall/10.137.0.20/policy drop",
        "/qubes-firewall/10.137.0.20/"
        "0123456789012345678901234567890123456789 x",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char text[512];
        struct reports r;
        snprintf(text, sizeof text,
                 "/qubes-firewall/10.137.0.20/policy drop\n%s\n", broken[i]);
        assert_false(parse(text, &r));
        assert_int_equal(r.count, 1);
        assert_int_equal(r.last_line, 2);
        assert_string_equal(r.told, "");
    }
}

static void every_broken_line_is_named(void **state)
{
    (void)state;
    struct reports r;
    assert_false(parse("a\n# fine\nb\n\nc", &r));
    assert_int_equal(r.count, 3);
    assert_int_equal(r.last_line, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_several_qubes_are_read),
        cmocka_unit_test(an_empty_file_has_no_rules),
        cmocka_unit_test(a_broken_line_spoils_the_file),
        cmocka_unit_test(every_broken_line_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
