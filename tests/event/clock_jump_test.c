#include "gateway/event/clock_jump.h"

#include "tests/unit.h"

enum { SECOND = 1000000, AWHILE = 7 * SECOND };

/* A machine with clocks that can be set. */
struct machine {
    struct clock_jump jump;
    int64_t monotonic, asleep, offset, delay;
};

static int64_t look(struct machine *m)
{
    struct clock_jump_reading r = {
        .monotonic = m->monotonic,
        .boot = m->monotonic + m->delay + m->asleep,
        .wall = m->monotonic + m->delay + m->asleep + m->offset,
        .monotonic_again = m->monotonic + m->delay,
    };
    m->monotonic += AWHILE;
    return clock_jump_take(&m->jump, &r).us;
}

static struct machine running_machine(void)
{
    struct machine m = {.offset = INT64_C(1790000000) * SECOND};
    assert_int_equal(look(&m), 0);
    return m;
}

static void time_that_passes_is_no_sleep(void **state)
{
    struct machine m = running_machine();
    (void)state;
    for (int i = 0; i < 100; i++) {
        m.offset += SECOND / 10; /* a wall clock that is made to run faster */
        assert_int_equal(look(&m), 0);
    }
}

static void a_sleep_is_told_once_and_with_its_length(void **state)
{
    struct machine m = running_machine();
    (void)state;
    m.asleep = 3600LL * SECOND;
    assert_int_equal(look(&m), 3600LL * SECOND);
    assert_int_equal(look(&m), 0);
    m.asleep += CLOCK_JUMP_ASLEEP * SECOND;
    assert_int_equal(look(&m), CLOCK_JUMP_ASLEEP * SECOND);
}

static void a_short_one_is_not(void **state)
{
    struct machine m = running_machine();
    (void)state;
    m.asleep = CLOCK_JUMP_ASLEEP * SECOND - 1;
    assert_int_equal(look(&m), 0);
}

static void a_wall_clock_put_forward_counts_but_not_back(void **state)
{
    struct machine m = running_machine();
    (void)state;
    m.offset += CLOCK_JUMP_WALL * SECOND;
    assert_int_equal(look(&m), CLOCK_JUMP_WALL * SECOND);
    m.offset += CLOCK_JUMP_WALL * SECOND - 1;
    assert_int_equal(look(&m), 0);
    m.offset -= 1000LL * SECOND;
    assert_int_equal(look(&m), 0);
}

static void readings_torn_apart_say_nothing(void **state)
{
    struct machine m = running_machine();
    (void)state;
    m.delay = 60LL * SECOND; /* not asleep: not scheduled */
    assert_int_equal(look(&m), 0);
    m.delay = 0;
    assert_int_equal(look(&m), 0);
    /* And nothing is forgotten for them. */
    m.delay = 60LL * SECOND;
    m.asleep = 100LL * SECOND;
    assert_int_equal(look(&m), 0);
    m.delay = 0;
    assert_int_equal(look(&m), 100LL * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_that_passes_is_no_sleep),
        cmocka_unit_test(a_sleep_is_told_once_and_with_its_length),
        cmocka_unit_test(a_short_one_is_not),
        cmocka_unit_test(a_wall_clock_put_forward_counts_but_not_back),
        cmocka_unit_test(readings_torn_apart_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
