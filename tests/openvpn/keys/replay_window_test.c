#include "gateway/openvpn/keys/replay_window.h"

#include "tests/unit.h"

static struct instant at(int64_t seconds)
{
    return instant_after((struct instant){0}, duration_seconds(seconds));
}

static struct replay_window window_of(uint32_t size, uint32_t seconds)
{
    struct replay_window w;
    assert_true(replay_window_init(&w, size, seconds));
    return w;
}

static void zero_is_never_accepted(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    assert_false(replay_window_accept(&w, at(0), 0));
    assert_true(replay_window_accept(&w, at(0), 1));
    assert_false(replay_window_accept(&w, at(0), 0));
    replay_window_clear(&w);
}

static void each_number_is_accepted_once(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    for (uint64_t n = 1; n <= 1000; n++) {
        assert_true(replay_window_accept(&w, at(0), n));
        assert_false(replay_window_accept(&w, at(0), n));
    }
    for (uint64_t n = 1; n <= 1000; n++)
        assert_false(replay_window_accept(&w, at(0), n));
    replay_window_clear(&w);
}

static void the_window_is_exactly_its_size(void **state)
{
    (void)state;
    for (uint64_t top = 64; top < 64 * 5; top++) {
        struct replay_window w = window_of(64, 15);
        assert_true(replay_window_accept(&w, at(0), top));
        if (top > 64)
            assert_false(replay_window_accept(&w, at(0), top - 64));
        assert_true(replay_window_accept(&w, at(0), top - 63));
        replay_window_clear(&w);
    }
}

static void the_size_is_rounded_up_to_64(void **state)
{
    (void)state;
    struct replay_window w = window_of(65, 15);
    assert_int_equal(w.size, 128);
    assert_true(replay_window_accept(&w, at(0), 1000));
    assert_true(replay_window_accept(&w, at(0), 1000 - 127));
    assert_false(replay_window_accept(&w, at(0), 1000 - 128));
    replay_window_clear(&w);
    w = window_of(0, 15);
    assert_int_equal(w.size, 64);
    replay_window_clear(&w);
}

static void a_leap_forgets_what_the_ring_held(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    for (uint64_t n = 1; n <= 200; n++)
        assert_true(replay_window_accept(&w, at(0), n));
    uint64_t far = 200 + ((uint64_t)1 << 40);
    assert_true(replay_window_accept(&w, at(0), far));
    for (uint64_t n = far - 63; n < far; n++)
        assert_true(replay_window_accept(&w, at(0), n));
    for (uint64_t n = far - 200; n <= far; n++)
        assert_false(replay_window_accept(&w, at(0), n));
    replay_window_clear(&w);
}

static void the_largest_number_works(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    assert_true(replay_window_accept(&w, at(0), UINT64_MAX));
    assert_false(replay_window_accept(&w, at(0), UINT64_MAX));
    assert_true(replay_window_accept(&w, at(0), UINT64_MAX - 63));
    assert_false(replay_window_accept(&w, at(0), UINT64_MAX - 64));
    assert_false(replay_window_accept(&w, at(0), 1));
    replay_window_clear(&w);
}

/* Against a table of everything ever seen. */
static void random_orders_agree_with_a_table(void **state)
{
    (void)state;
    enum { NUMBERS = 20000, ROUNDS = 200000 };
    static const uint32_t sizes[] = {64, 128, 192, 1024};
    uint8_t *seen = calloc(NUMBERS + 1, 1);
    assert_non_null(seen);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct replay_window w = window_of(sizes[i], 15);
        uint32_t seed = 1 + (uint32_t)i;
        uint64_t highest = 0;
        memset(seen, 0, NUMBERS + 1);
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t spread = next_random(&seed) % 50 ? 8 : 3 * sizes[i];
            uint64_t low = highest > spread ? highest - spread : 0;
            uint64_t n = low + next_random(&seed) % (spread + 3);
            if (n > NUMBERS)
                n = NUMBERS;
            bool expected =
                n > 0 && n + sizes[i] > highest && (n > highest || !seen[n]);
            assert_int_equal(replay_window_accept(&w, at(0), n), expected);
            if (expected)
                seen[n] = 1;
            if (n > highest)
                highest = n;
        }
        assert_true(highest > NUMBERS / 2);
        replay_window_clear(&w);
    }
    free(seen);
}

static void late_numbers_are_too_old_after_their_time(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    assert_true(replay_window_accept(&w, at(100), 10));
    assert_true(replay_window_accept(&w, at(114), 9));
    assert_false(replay_window_accept(&w, at(115), 8));
    assert_true(replay_window_accept(&w, at(115), 11));
    replay_window_clear(&w);
}

static void silence_makes_all_too_old(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    assert_true(replay_window_accept(&w, at(0), 1));
    assert_true(replay_window_accept(&w, at(0), 2));
    assert_true(replay_window_accept(&w, at(5), 20));
    assert_false(replay_window_accept(&w, at(100), 15));
    assert_true(replay_window_accept(&w, at(100), 21));
    replay_window_clear(&w);
}

static void time_counts_under_steady_traffic(void **state)
{
    (void)state;
    struct replay_window w = window_of(65536, 15);
    uint64_t n = 0;
    /* Ten a second; those that end in 5 come late or never. */
    for (int64_t second = 0; second < 100; second++)
        for (int i = 0; i < 10; i++) {
            n++;
            if (n % 10 != 5)
                assert_true(replay_window_accept(&w, at(second), n));
        }
    /* 1000 at 99 s; 855 was overtaken at 85 s, 695 at 69 s. */
    assert_true(replay_window_accept(&w, at(99), 855));
    assert_false(replay_window_accept(&w, at(99), 695));
    replay_window_clear(&w);
}

static void a_gap_is_fillable_for_seconds_and_not_for_twice_that(void **state)
{
    (void)state;
    for (int64_t start = 0; start < 30; start++) {
        struct replay_window w = window_of(65536, 15);
        uint64_t n = 0;
        for (int64_t second = 0; second < start; second++)
            assert_true(replay_window_accept(&w, at(second), ++n));
        uint64_t first_gap = ++n, second_gap = ++n;
        for (int64_t second = start; second < start + 31; second++) {
            if (second == start + 14)
                assert_true(replay_window_accept(&w, at(second), first_gap));
            assert_true(replay_window_accept(&w, at(second), ++n));
        }
        assert_false(replay_window_accept(&w, at(start + 30), second_gap));
        replay_window_clear(&w);
    }
}

static void without_seconds_only_the_size_counts(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 0);
    assert_true(replay_window_accept(&w, at(0), 64));
    assert_true(replay_window_accept(&w, at(1000000), 1));
    replay_window_clear(&w);
}

static void reset_forgets(void **state)
{
    (void)state;
    struct replay_window w = window_of(64, 15);
    for (uint64_t n = 1; n <= 70; n++)
        assert_true(replay_window_accept(&w, at(0), n));
    assert_true(replay_window_accept(&w, at(100), 71));
    replay_window_reset(&w);
    for (uint64_t n = 70; n > 7; n--)
        assert_true(replay_window_accept(&w, at(100), n));
    assert_false(replay_window_accept(&w, at(100), 6));
    replay_window_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_never_accepted),
        cmocka_unit_test(each_number_is_accepted_once),
        cmocka_unit_test(the_window_is_exactly_its_size),
        cmocka_unit_test(the_size_is_rounded_up_to_64),
        cmocka_unit_test(a_leap_forgets_what_the_ring_held),
        cmocka_unit_test(the_largest_number_works),
        cmocka_unit_test(random_orders_agree_with_a_table),
        cmocka_unit_test(late_numbers_are_too_old_after_their_time),
        cmocka_unit_test(silence_makes_all_too_old),
        cmocka_unit_test(time_counts_under_steady_traffic),
        cmocka_unit_test(a_gap_is_fillable_for_seconds_and_not_for_twice_that),
        cmocka_unit_test(without_seconds_only_the_size_counts),
        cmocka_unit_test(reset_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
