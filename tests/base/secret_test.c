#include "gateway/base/secret.h"

#include "tests/unit.h"

static void secrets_are_equal_or_not(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    for (size_t i = 0; i < sizeof a; i++)
        a[i] = b[i] = (uint8_t)i;
    assert_true(secret_equal(bytes_of(a, 32), bytes_of(b, 32)));
    assert_false(secret_equal(bytes_of(a, 32), bytes_of(b, 31)));
    assert_true(secret_equal(bytes_of(a, 0), bytes_of(NULL, 0)));
    for (size_t i = 0; i < sizeof a; i++)
        for (int bit = 0; bit < 8; bit++) {
            b[i] ^= (uint8_t)(1 << bit);
            assert_false(secret_equal(bytes_of(a, 32), bytes_of(b, 32)));
            b[i] ^= (uint8_t)(1 << bit);
        }
}

static void wiped_memory_is_zero(void **state)
{
    (void)state;
    uint8_t memory[66], expected[66] = {0};
    memset(memory, 0xaa, sizeof memory);
    expected[0] = expected[65] = 0xaa;
    secret_wipe(memory + 1, 64);
    assert_memory_equal(memory, expected, sizeof memory);
    secret_wipe(memory, 0);
    assert_int_equal(memory[0], 0xaa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_equal_or_not),
        cmocka_unit_test(wiped_memory_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
