#include "gateway/base/address.h"

#include "tests/unit.h"

static struct address parsed(const char *text)
{
    struct address a;
    assert_true(address_parse(bytes_of_text(text), &a));
    return a;
}

static struct prefix parsed_prefix(const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(bytes_of_text(text), &p));
    return p;
}

static void addresses_make_the_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0.0.0.0",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "2001:db8::1",
        "fe80::fcff:ffff:feff:ffff",
        "fd00::1:0",
        "::ffff:192.0.2.1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address a = parsed(texts[i]);
        char out[ADDRESS_TEXT_SIZE];
        assert_string_equal(address_format(&a, out), texts[i]);
        assert_int_equal(a.family,
                         strchr(texts[i], ':') ? ADDRESS_IPV6 : ADDRESS_IPV4);
        assert_true(address_is_set(&a));
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "01.2.3.4",
        "1.2.3.04",
        " 1.2.3.4",
        "1.2.3.4 ",
        "0x1.2.3.4",
        "1.2.3.-4",
        "fe80::1%eth0",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "::g",
        "[::1]",
        "1.2.3.4:5",
        "localhost",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct address a = {.family = ADDRESS_IPV4};
        assert_false(address_parse(bytes_of_text(bad[i]), &a));
        assert_int_equal(a.family, ADDRESS_IPV4);
    }
    struct address a;
    assert_false(address_parse(bytes_of("1.2.3.4\0", 8), &a));
    assert_false(address_parse(bytes_of(NULL, 0), &a));
}

static void equal_addresses_are_equal_bytes(void **state)
{
    (void)state;
    struct address a = address_ipv4(0xc0000201), b = parsed("192.0.2.1");
    static const uint8_t wire[] = {192, 0, 2, 1};
    struct address c = address_from_bytes(ADDRESS_IPV4, wire);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(&a, &c, sizeof a);
    assert_true(address_equal(&a, &b));
    assert_int_equal(address_to_ipv4(&b), 0xc0000201);

    struct address v6 = parsed("c000:201::");
    assert_memory_equal(a.bytes, v6.bytes, sizeof a.bytes);
    assert_false(address_equal(&a, &v6));
}

static void an_unset_address_says_so(void **state)
{
    (void)state;
    struct address none = {0};
    char out[ADDRESS_TEXT_SIZE];
    assert_false(address_is_set(&none));
    assert_string_equal(address_format(&none, out), "none");
}

static void prefixes_make_the_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0.0.0.0/0",
        "128.0.0.0/1",
        "10.137.0.0/16",
        "192.0.2.128/25",
        "192.0.2.1/32",
        "::/0",
        "2000::/3",
        "fd00::/8",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct prefix p = parsed_prefix(texts[i]);
        char out[PREFIX_TEXT_SIZE];
        assert_string_equal(prefix_format(&p, out), texts[i]);
    }
    struct prefix whole = parsed_prefix("192.0.2.1");
    assert_int_equal(whole.bits, 32);
    whole = parsed_prefix("2001:db8::1");
    assert_int_equal(whole.bits, 128);
}

static void what_is_no_prefix_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.0/ 8",
        "10.0.0.1/8",
        "192.0.2.1/31",
        "fd00::1/64",
        "10.0.0.0/255.0.0.0",
        "fd00::/4294967304",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct prefix p = {.bits = 77};
        assert_false(prefix_parse(bytes_of_text(bad[i]), &p));
        assert_int_equal(p.bits, 77);
    }
}

static void a_prefix_contains_what_shares_its_bits(void **state)
{
    (void)state;
    for (uint8_t bits = 0; bits <= 32; bits++) {
        struct address a = address_ipv4(0xa5a5a5a5);
        struct prefix p = prefix_of(&a, bits);
        assert_true(prefix_contains(&p, &a));
        for (uint8_t bit = 0; bit < 32; bit++) {
            struct address b = address_ipv4(0xa5a5a5a5 ^ 0x80000000U >> bit);
            assert_int_equal(prefix_contains(&p, &b), bit >= bits);
        }
    }
    for (uint8_t bits = 0; bits <= 128; bits++) {
        struct address a = parsed("2001:db8:5a5a:a5a5:5a5a:a5a5:5a5a:a5a5");
        struct prefix p = prefix_of(&a, bits);
        assert_true(prefix_contains(&p, &a));
        for (uint8_t bit = 0; bit < 128; bit++) {
            struct address b = a;
            b.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            assert_int_equal(prefix_contains(&p, &b), bit >= bits);
        }
    }
}

static void families_do_not_mix(void **state)
{
    (void)state;
    struct address v4 = address_ipv4(0), v6 = parsed("::"), none = {0};
    struct prefix all4 = parsed_prefix("0.0.0.0/0");
    struct prefix all6 = parsed_prefix("::/0"), nothing = {0};
    assert_false(prefix_contains(&all4, &v6));
    assert_false(prefix_contains(&all6, &v4));
    assert_false(prefix_contains(&nothing, &v4));
    assert_false(prefix_contains(&nothing, &v6));
    assert_false(prefix_contains(&nothing, &none));
}

static void a_netmask_with_holes_is_none(void **state)
{
    (void)state;
    for (uint8_t bits = 0; bits <= 32; bits++) {
        uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
        uint8_t found = 77;
        assert_true(prefix_bits_of_netmask(mask, &found));
        assert_int_equal(found, bits);
        for (uint8_t bit = 0; bit < 32; bit++) {
            uint32_t holed = mask ^ (uint32_t)1 << bit;
            bool contiguous = bit == 32 - bits || bit + 1 == 32 - bits;
            assert_int_equal(prefix_bits_of_netmask(holed, &found), contiguous);
        }
    }
}

static void endpoints_have_their_text(void **state)
{
    (void)state;
    struct endpoint v4 = {parsed("192.0.2.1"), 1194};
    struct endpoint v6 = {parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                          65535};
    struct endpoint other = v4;
    char out[ENDPOINT_TEXT_SIZE];
    assert_string_equal(endpoint_format(&v4, out), "192.0.2.1:1194");
    assert_string_equal(endpoint_format(&v6, out),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    assert_true(endpoint_equal(&v4, &other));
    other.port++;
    assert_false(endpoint_equal(&v4, &other));
    assert_false(endpoint_equal(&v4, &v6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_make_the_round_trip),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(equal_addresses_are_equal_bytes),
        cmocka_unit_test(an_unset_address_says_so),
        cmocka_unit_test(prefixes_make_the_round_trip),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(a_prefix_contains_what_shares_its_bits),
        cmocka_unit_test(families_do_not_mix),
        cmocka_unit_test(a_netmask_with_holes_is_none),
        cmocka_unit_test(endpoints_have_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
