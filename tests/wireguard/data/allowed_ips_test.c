#include "gateway/wireguard/data/allowed_ips.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

static struct allowed_ips table;

static void allow(const char *text, uint16_t peer)
{
    struct prefix p;
    assert_true(prefix_parse(bytes_of_text(text), &p));
    assert_true(allowed_ips_add(&table, &p, peer));
}

static uint16_t find(const char *text)
{
    struct address a = craft_address(text);
    return allowed_ips_find(&table, &a);
}

static int empty(void **state)
{
    (void)state;
    table = (struct allowed_ips){0};
    return 0;
}

static void the_longest_prefix_decides(void **state)
{
    (void)state;
    assert_int_equal(find("10.0.0.1"), ALLOWED_IPS_NOBODY);
    allow("0.0.0.0/0", 0);
    allow("10.0.0.0/8", 1);
    allow("10.1.0.0/16", 2);
    allow("10.1.2.3/32", 3);
    allow("fd00::/8", 4);
    assert_int_equal(find("192.0.2.1"), 0);
    assert_int_equal(find("10.9.9.9"), 1);
    assert_int_equal(find("10.1.9.9"), 2);
    assert_int_equal(find("10.1.2.3"), 3);
    assert_int_equal(find("10.1.2.4"), 2);
    assert_int_equal(find("fd12::1"), 4);
    assert_int_equal(find("2001:db8::1"), ALLOWED_IPS_NOBODY);
}

static void a_prefix_has_one_peer_the_later(void **state)
{
    (void)state;
    allow("10.0.0.0/8", 1);
    allow("10.0.0.0/8", 2);
    assert_int_equal(table.count, 1);
    assert_int_equal(find("10.0.0.1"), 2);
}

static void a_full_table_takes_no_more(void **state)
{
    (void)state;
    struct prefix p = {.address = {.family = ADDRESS_IPV4}, .bits = 32};
    for (uint32_t i = 0; i < ALLOWED_IPS_MAX; i++) {
        p.address = address_ipv4(i);
        assert_true(allowed_ips_add(&table, &p, 0));
    }
    p.address = address_ipv4(ALLOWED_IPS_MAX);
    assert_false(allowed_ips_add(&table, &p, 0));
    p.address = address_ipv4(5); /* one that is there may change hands */
    assert_true(allowed_ips_add(&table, &p, 7));
    assert_int_equal(find("0.0.0.5"), 7);
}

/* Against the plainest way: all prefixes, one after another. */
static void it_agrees_with_a_search_through_all(void **state)
{
    (void)state;
    struct allowed_ips_entry plain[300];
    uint64_t s = 5;
    for (unsigned i = 0; i < 300; i++) {
        bool ipv6 = craft_below(&s, 2);
        uint8_t bytes[16];
        craft_fill(&s, bytes, sizeof bytes);
        bytes[0] &= 3; /* so that they overlap */
        bytes[1] &= 1;
        struct address a =
            address_from_bytes(ipv6 ? ADDRESS_IPV6 : ADDRESS_IPV4, bytes);
        uint8_t bits = (uint8_t)craft_below(&s, ipv6 ? 129 : 33);
        plain[i].prefix = prefix_of(&a, bits);
        plain[i].peer = (uint16_t)craft_below(&s, 50);
        assert_true(allowed_ips_add(&table, &plain[i].prefix, plain[i].peer));
    }
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[16];
        craft_fill(&s, bytes, sizeof bytes);
        bytes[0] &= 3;
        bytes[1] &= 1;
        struct address a = address_from_bytes(
            craft_below(&s, 2) ? ADDRESS_IPV6 : ADDRESS_IPV4, bytes);
        int best = -1;
        uint16_t expected = ALLOWED_IPS_NOBODY;
        for (unsigned j = 0; j < 300; j++)
            if (prefix_contains(&plain[j].prefix, &a) &&
                plain[j].prefix.bits >= best) {
                best = plain[j].prefix.bits;
                expected = plain[j].peer;
            }
        assert_int_equal(allowed_ips_find(&table, &a), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_longest_prefix_decides, empty),
        cmocka_unit_test_setup(a_prefix_has_one_peer_the_later, empty),
        cmocka_unit_test_setup(a_full_table_takes_no_more, empty),
        cmocka_unit_test_setup(it_agrees_with_a_search_through_all, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
