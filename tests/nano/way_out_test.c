#include "rpm/nano/way_out.h"
#include "tests/unit.h"

static bool parse(const char *line, struct way_out *out)
{
    return way_out_parse(bytes_of_text(line), out);
}

static void addresses_are_read(void **state)
{
    (void)state;
    struct way_out w;
    assert_true(parse("10.137.0.5 10.137.0.1", &w));
    assert_int_equal(address_to_ipv4(&w.address), 0x0a890005);
    assert_int_equal(address_to_ipv4(&w.gateway), 0x0a890001);
    assert_int_equal(w.resolver_count, 0);
    assert_true(parse("10.137.0.5 10.137.0.1 10.139.1.1 10.139.1.2", &w));
    assert_int_equal(w.resolver_count, 2);
    assert_int_equal(address_to_ipv4(&w.resolvers[1]), 0x0a8b0102);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "10.137.0.5",
        "10.137.0.5 ",
        "10.137.0.5  10.137.0.1",
        "10.137.0.5 10.137.0.1 ",
        "10.137.0.5 10.137.0.1 10.139.1.1 10.139.1.2 10.139.1.3",
        "10.137.0.5 10.137.0.1 fd00::1",
        "fd00::5 fd00::1",
        "0.0.0.0 10.137.0.1",
        "127.0.0.1 10.137.0.1",
        "10.137.0.5 224.0.0.1",
        "10.137.0.5 255.255.255.255",
        "10.137.0.5 10.137.0.1\n10.139.1.1",
        "10.137.0.5/8 10.137.0.1",
    };
    struct way_out w = {.resolver_count = 7};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_false(parse(lines[i], &w));
    assert_int_equal(w.resolver_count, 7);
}

static void every_truncation_of_a_line_is_read_within_it(void **state)
{
    (void)state;
    static const char line[] = "10.137.0.5 10.137.0.1 10.139.1.1";
    struct way_out w;
    for (size_t size = 0; size < sizeof line; size++) {
        uint8_t *copy = exact_copy(line, size);
        (void)!way_out_parse(bytes_of(copy, size), &w);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(every_truncation_of_a_line_is_read_within_it),
    };
    return cmocka_run_group_tests_name("way out", tests, NULL, NULL);
}
