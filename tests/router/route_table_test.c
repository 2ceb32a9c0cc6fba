#include "gateway/router/route_table.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

static struct prefix prefix(const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(bytes_of_text(text), &p));
    return p;
}

static void add(struct tunnel *t, const char *text, uint32_t metric,
                bool excluded)
{
    t->routes[t->route_count++] =
        (struct tunnel_route){prefix(text), metric, excluded};
}

static bool carries(const struct tunnel *t, const char *address)
{
    struct route_table table;
    struct address a = craft_address(address);
    route_table_build(&table, t);
    return route_table_carries(&table, &a);
}

static void the_longest_prefix_decides(void **state)
{
    (void)state;
    struct tunnel t = {.ipv4 = {craft_address("10.8.0.2"), 24}};
    assert_true(carries(&t, "10.8.0.77")); /* its own network */
    assert_false(carries(&t, "10.8.1.1"));
    add(&t, "192.0.2.0/24", 0, false);
    add(&t, "192.0.2.128/25", 0, true);
    add(&t, "192.0.2.200/32", 0, false);
    assert_true(carries(&t, "192.0.2.1"));
    assert_false(carries(&t, "192.0.2.129"));
    assert_true(carries(&t, "192.0.2.200"));
    assert_false(carries(&t, "192.0.3.1"));
    t.redirect_ipv4 = true;
    assert_true(carries(&t, "192.0.3.1"));
    assert_false(carries(&t, "192.0.2.129"));
}

static void of_equal_prefixes_the_metric_then_the_exclusion(void **state)
{
    (void)state;
    struct tunnel t = {.ipv4 = {craft_address("10.8.0.2"), 24}};
    add(&t, "192.0.2.0/24", 5, true);
    add(&t, "192.0.2.0/24", 1, false);
    assert_true(carries(&t, "192.0.2.1"));
    add(&t, "192.0.2.0/24", 1, true);
    assert_false(carries(&t, "192.0.2.1"));
}

static void families_are_apart(void **state)
{
    (void)state;
    struct tunnel t = {
        .ipv4 = {craft_address("10.8.0.2"), 24},
        .redirect_ipv4 = true,
        .redirect_ipv6 = true, /* of a tunnel that has no IPv6 */
    };
    assert_false(carries(&t, "2001:db8::1"));
    t.ipv6 = (struct prefix){craft_address("fd00::2"), 64};
    assert_true(carries(&t, "2001:db8::1"));
    t.redirect_ipv6 = false;
    assert_false(carries(&t, "2001:db8::1"));
    assert_true(carries(&t, "fd00::9"));
    add(&t, "2001:db8::/32", 0, false);
    assert_true(carries(&t, "2001:db8::1"));
}

static void as_many_routes_as_a_tunnel_can_have_fit(void **state)
{
    (void)state;
    static struct tunnel t;
    t.ipv4 = (struct prefix){craft_address("10.8.0.2"), 24};
    t.ipv6 = (struct prefix){craft_address("fd00::2"), 64};
    t.redirect_ipv4 = t.redirect_ipv6 = true;
    for (uint32_t i = 0; i < TUNNEL_ROUTES_MAX; i++)
        t.routes[t.route_count++] =
            (struct tunnel_route){{address_ipv4(0xc0000200 + i), 32}, 0, true};
    assert_false(carries(&t, "192.0.2.255"));
    assert_true(carries(&t, "192.0.3.255"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_decides),
        cmocka_unit_test(of_equal_prefixes_the_metric_then_the_exclusion),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(as_many_routes_as_a_tunnel_can_have_fit),
    };
    return cmocka_run_group_tests_name("route_table", tests, NULL, NULL);
}
