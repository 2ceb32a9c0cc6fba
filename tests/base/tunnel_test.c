#include "gateway/base/tunnel.h"

#include "tests/unit.h"

static struct address address(const char *text)
{
    struct address a;
    assert_true(address_parse(bytes_of_text(text), &a));
    return a;
}

static struct prefix own(const char *text, uint8_t bits)
{
    return (struct prefix){.address = address(text), .bits = bits};
}

static void describes(const struct tunnel *t, const char *expected)
{
    char text[TUNNEL_TEXT_SIZE];
    assert_string_equal(tunnel_describe(t, text), expected);
}

static void all_traffic_is_what_the_addresses_allow(void **state)
{
    (void)state;
    struct tunnel t = {.ipv4 = own("10.8.0.2", 24),
                       .resolvers = {address("10.8.0.1")},
                       .resolver_count = 1,
                       .redirect_ipv4 = true};
    describes(&t, "10.8.0.2/24, DNS 10.8.0.1, all traffic");
    t.ipv6 = own("2001:db8::2", 64);
    describes(&t, "10.8.0.2/24, 2001:db8::2/64, DNS 10.8.0.1, all IPv4");
    t.redirect_ipv6 = true;
    describes(&t, "10.8.0.2/24, 2001:db8::2/64, DNS 10.8.0.1, all traffic");
    t.redirect_ipv4 = false;
    t.resolver_count = 0;
    describes(&t, "10.8.0.2/24, 2001:db8::2/64, no DNS, all IPv6");
}

static void routes_are_counted(void **state)
{
    (void)state;
    struct tunnel t = {.ipv4 = own("10.8.0.2", 24)};
    describes(&t, "10.8.0.2/24, no DNS, no routes");
    t.route_count = 1;
    t.routes[0].prefix = own("10.1.0.0", 16);
    describes(&t, "10.8.0.2/24, no DNS, only 1 route");
    t.redirect_ipv6 = true;
    describes(&t, "10.8.0.2/24, no DNS, all IPv6 and 1 route");
    t.redirect_ipv6 = false;
    t.redirect_ipv4 = true;
    t.routes[0].excluded = true;
    describes(&t, "10.8.0.2/24, no DNS, all traffic but 1 network");
}

static void the_longest_fits(void **state)
{
    (void)state;
    static struct tunnel t;
    char text[TUNNEL_TEXT_SIZE];
    t.ipv4 = own("255.255.255.255", 32);
    t.ipv6 = own("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 128);
    t.resolver_count = TUNNEL_RESOLVERS_MAX;
    t.route_count = TUNNEL_ROUTES_MAX;
    for (size_t i = 0; i < TUNNEL_RESOLVERS_MAX; i++)
        t.resolvers[i] = t.ipv6.address;
    for (size_t i = 0; i < TUNNEL_ROUTES_MAX; i++)
        t.routes[i].excluded = i % 2;
    assert_non_null(strstr(tunnel_describe(&t, text),
                           ", only 512 routes but 512 networks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_traffic_is_what_the_addresses_allow),
        cmocka_unit_test(routes_are_counted),
        cmocka_unit_test(the_longest_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
