#include "gateway/wireguard/data/counter_window.h"

#include "tests/unit.h"

static void counters_are_taken_once_from_zero_on(void **state)
{
    (void)state;
    struct counter_window w = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        assert_true(counter_window_accept(&w, i));
        assert_false(counter_window_accept(&w, i));
    }
}

static void the_window_s_edges(void **state)
{
    (void)state;
    struct counter_window w = {0};
    assert_true(counter_window_accept(&w, 1000000));
    assert_false(counter_window_accept(&w, 1000000 - 8129));
    assert_true(counter_window_accept(&w, 1000000 - 8128));
    assert_false(counter_window_accept(&w, 1000000 - 8128));
    assert_true(counter_window_accept(&w, 1000000 - 8127));
    assert_true(counter_window_accept(&w, 1000001));
    assert_false(counter_window_accept(&w, 1000000 - 8128));
}

static void far_jumps_and_the_last_counter(void **state)
{
    (void)state;
    struct counter_window w = {0};
    assert_true(counter_window_accept(&w, 5));
    assert_true(counter_window_accept(&w, UINT64_C(1) << 60));
    assert_false(counter_window_accept(&w, 5));
    assert_true(counter_window_accept(&w, (UINT64_C(1) << 60) - 8128));
    assert_true(counter_window_accept(&w, UINT64_MAX - 8193)); /* 2^64-8194 */
    assert_false(counter_window_accept(&w, UINT64_MAX - 8192));
    assert_false(counter_window_accept(&w, UINT64_MAX));
    assert_true(counter_window_accept(&w, UINT64_MAX - 8194));
}

/* A million numbers near each other, against one flag for each. */
static void it_agrees_with_a_plain_set(void **state)
{
    (void)state;
    enum { NUMBERS = 4000000 };
    uint8_t *seen = calloc(NUMBERS, 1);
    struct counter_window w = {0};
    uint32_t s = 3;
    uint64_t highest = 0, base = 0;
    assert_non_null(seen);
    for (int i = 0; i < 1000000; i++) {
        base += next_random(&s) % 4;
        uint64_t n = base + next_random(&s) % 10000;
        if (next_random(&s) % 65536 == 0)
            base += next_random(&s) % 20000;
        bool expected = n > highest || (highest - n <= 8128 && !seen[n]);
        if (i == 0)
            expected = true;
        assert_int_equal(counter_window_accept(&w, n), expected);
        if (expected)
            seen[n] = 1;
        if (n > highest)
            highest = n;
    }
    assert_true(highest < NUMBERS);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_taken_once_from_zero_on),
        cmocka_unit_test(the_window_s_edges),
        cmocka_unit_test(far_jumps_and_the_last_counter),
        cmocka_unit_test(it_agrees_with_a_plain_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
