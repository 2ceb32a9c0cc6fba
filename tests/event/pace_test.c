#include "gateway/event/pace.h"

#include "tests/unit.h"

struct run {
    struct pace pace;
    struct instant now;
};

static struct run begin(void)
{
    return (struct run){.now = {1000000}};
}

/* A turn after a wait, or at once where it follows a nap; whether one does. */
static bool turn(struct run *r, int64_t wait, bool napped, int64_t length)
{
    r->now.us += wait;
    pace_turn_begins(&r->pace, r->now, napped);
    r->now.us += length;
    return pace_turn_ended(&r->pace, r->now);
}

static bool short_turn(struct run *r)
{
    return turn(r, PACE_SHORT_WAIT - 1, false, PACE_SHORT_TURN - 1);
}

static void make_busy(struct run *r)
{
    int turns = 0;
    while (!short_turn(r))
        assert_true(++turns < 2 * PACE_PATIENCE);
}

static void the_first_packets_find_nobody_asleep(void **state)
{
    (void)state;
    struct run r = begin();
    turn(&r, 1000, false, 5);
    for (int i = 0; i < PACE_PATIENCE - 1; i++)
        assert_false(short_turn(&r));
    assert_true(short_turn(&r));
}

static void rare_packets_are_never_kept_waiting(void **state)
{
    (void)state;
    struct run r = begin();
    for (int i = 0; i < 1000; i++)
        assert_false(turn(&r, PACE_SHORT_WAIT, false, 5));
}

static void turns_with_much_to_do_need_no_nap(void **state)
{
    (void)state;
    struct run r = begin();
    for (int i = 0; i < 1000; i++)
        assert_false(turn(&r, 0, false, PACE_SHORT_TURN));
}

static void a_nap_that_finds_work_is_followed_by_another(void **state)
{
    (void)state;
    struct run r = begin();
    make_busy(&r);
    for (int i = 0; i < 100; i++)
        assert_true(turn(&r, PACE_NAP, true, 5));
    /* until so much has come that the turn is long */
    assert_false(turn(&r, PACE_NAP, true, PACE_SHORT_TURN));
}

static void a_nap_in_vain_is_the_last(void **state)
{
    (void)state;
    struct run r = begin();
    make_busy(&r);
    pace_napped_in_vain(&r.pace);
    assert_false(turn(&r, PACE_NAP + 5, false, 5));
    for (int i = 0; i < PACE_PATIENCE - 1; i++)
        assert_false(short_turn(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_packets_find_nobody_asleep),
        cmocka_unit_test(rare_packets_are_never_kept_waiting),
        cmocka_unit_test(turns_with_much_to_do_need_no_nap),
        cmocka_unit_test(a_nap_that_finds_work_is_followed_by_another),
        cmocka_unit_test(a_nap_in_vain_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
