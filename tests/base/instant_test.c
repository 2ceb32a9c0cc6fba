#include "gateway/base/instant.h"

#include "tests/unit.h"

static const struct instant start = {1000};

static void a_moment_and_a_length_give_a_moment(void **state)
{
    (void)state;
    assert_int_equal(instant_after(start, duration_seconds(2)).us, 2001000);
    assert_int_equal(instant_after(start, duration_milliseconds(3)).us, 4000);
    struct duration back = {-400};
    assert_int_equal(instant_after(start, back).us, 600);
    assert_int_equal(instant_since((struct instant){5000}, start).us, 4000);
    assert_int_equal(instant_to_seconds((struct instant){3999999}), 3);
}

static void never_is_later_than_all_and_stays_so(void **state)
{
    (void)state;
    struct duration back = {-5};
    assert_true(instant_is_never(INSTANT_NEVER));
    assert_true(
        instant_is_never(instant_after(INSTANT_NEVER, duration_seconds(-1))));
    assert_true(instant_is_never(instant_after(INSTANT_NEVER, back)));
    assert_true(instant_is_never(
        instant_after((struct instant){INT64_MAX - 4}, (struct duration){5})));
    assert_true(instant_before(start, INSTANT_NEVER));
    assert_false(instant_reached(start, INSTANT_NEVER));
    assert_int_equal(instant_earlier(start, INSTANT_NEVER).us, start.us);
    assert_int_equal(instant_earlier(INSTANT_NEVER, start).us, start.us);
}

static void a_deadline_is_reached_at_its_moment(void **state)
{
    (void)state;
    assert_false(instant_reached((struct instant){999}, start));
    assert_true(instant_reached((struct instant){1000}, start));
    assert_true(instant_reached((struct instant){1001}, start));
    assert_false(instant_before(start, start));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_and_a_length_give_a_moment),
        cmocka_unit_test(never_is_later_than_all_and_stays_so),
        cmocka_unit_test(a_deadline_is_reached_at_its_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
