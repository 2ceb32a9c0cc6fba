#include "gateway/crypto/noise/x25519.h"

#include "tests/crypto/vectors.h"
#include "tests/unit.h"

static void known_vectors(void **state)
{
    (void)state;
    struct vectors v;
    uint8_t scalar[32], point[32], shared[32], out[32];
    int count = 0;
    vectors_open(&v, "tests/vectors/noise.txt");
    while (vectors_next(&v)) {
        if (!vectors_text(&v, "scalar"))
            continue;
        vectors_bytes(&v, "scalar", scalar, sizeof scalar);
        vectors_bytes(&v, "point", point, sizeof point);
        vectors_bytes(&v, "shared", shared, sizeof shared);
        assert_true(x25519_shared(out, scalar, point));
        assert_memory_equal(out, shared, sizeof out);
        count++;
    }
    vectors_close(&v);
    assert_int_equal(count, 2);
}

static void both_sides_come_to_the_same(void **state)
{
    (void)state;
    uint8_t a[32], b[32], public_a[32], public_b[32], ab[32], ba[32];
    uint32_t s = 1;
    for (int i = 0; i < 20; i++) {
        random_bytes(&s, a, sizeof a);
        random_bytes(&s, b, sizeof b);
        x25519_clamp(a);
        assert_int_equal(a[0] & 7, 0);
        assert_int_equal(a[31] & 0xc0, 0x40);
        x25519_public(public_a, a);
        x25519_public(public_b, b);
        assert_true(x25519_shared(ab, a, public_b));
        assert_true(x25519_shared(ba, b, public_a));
        assert_memory_equal(ab, ba, sizeof ab);
    }
}

/* The points of small order, RFC 7748 6.1 and 7. */
static void a_point_that_says_nothing_of_the_key_is_refused(void **state)
{
    (void)state;
    static const uint8_t points[][32] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
         0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
         0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
         0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
         0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    static const uint8_t zero[32];
    uint8_t key[32], out[32];
    uint32_t s = 2;
    random_bytes(&s, key, sizeof key);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        memset(out, 1, sizeof out);
        assert_false(x25519_shared(out, key, points[i]));
        assert_memory_equal(out, zero, sizeof out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(both_sides_come_to_the_same),
        cmocka_unit_test(a_point_that_says_nothing_of_the_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
