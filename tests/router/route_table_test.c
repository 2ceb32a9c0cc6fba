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
    /* The highest first, so that what is built has to sort them. */
    for (uint32_t i = 0; i < TUNNEL_ROUTES_MAX; i++) {
        uint32_t at = 0xc6120000 + TUNNEL_ROUTES_MAX - 1 - i;
        t.routes[t.route_count++] =
            (struct tunnel_route){{address_ipv4(at), 32}, 0, true};
    }
    assert_false(carries(&t, "198.18.0.0"));
    assert_false(carries(&t, "198.18.1.77"));
    assert_false(carries(&t, "198.18.3.255"));
    assert_true(carries(&t, "198.17.255.255"));
    assert_true(carries(&t, "198.18.4.0"));
}

/* Every destination's answer is that of a search through all of them. */
static void the_search_finds_what_a_look_at_each_finds(void **state)
{
    (void)state;
    static struct tunnel t;
    uint32_t random = 77;
    t.ipv4 = (struct prefix){craft_address("10.8.0.2"), 24};
    for (int i = 0; i < 500; i++) {
        struct address a =
            address_ipv4(0x0a000000 | (next_random(&random) & 0x3f3f));
        uint8_t bits = (uint8_t)(8 + next_random(&random) % 25);
        t.routes[t.route_count++] =
            (struct tunnel_route){prefix_of(&a, bits), next_random(&random) % 3,
                                  next_random(&random) % 2 == 0};
    }
    static struct route_table table;
    route_table_build(&table, &t);
    for (uint32_t i = 0; i < 0x4000; i++) {
        struct address to = address_ipv4(0x0a000000 | i);
        const struct tunnel_route *best = NULL;
        for (size_t k = 0; k < t.route_count; k++) {
            const struct tunnel_route *r = &t.routes[k];
            if (!prefix_contains(&r->prefix, &to))
                continue;
            if (!best || r->prefix.bits > best->prefix.bits ||
                (r->prefix.bits == best->prefix.bits &&
                 (r->metric < best->metric ||
                  (r->metric == best->metric && r->excluded))))
                best = r;
        }
        if (best)
            assert_int_equal(route_table_carries(&table, &to), !best->excluded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_decides),
        cmocka_unit_test(of_equal_prefixes_the_metric_then_the_exclusion),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(as_many_routes_as_a_tunnel_can_have_fit),
        cmocka_unit_test(the_search_finds_what_a_look_at_each_finds),
    };
    return cmocka_run_group_tests_name("route_table", tests, NULL, NULL);
}
