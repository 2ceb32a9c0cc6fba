#include "firewall/quota.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

static void one_alone_has_half(void **state)
{
    (void)state;
    struct quota q;
    quota_init(&q, 100);
    quota_join(&q, 7);
    for (int i = 0; i < 50; i++) {
        assert_true(quota_allows(&q, 7));
        quota_take(&q, 7);
    }
    assert_false(quota_allows(&q, 7));
    assert_int_equal(quota_debtor(&q, 7), 7);
    quota_give(&q, 7);
    assert_true(quota_allows(&q, 7));
}

static void the_part_of_another_is_kept(void **state)
{
    (void)state;
    struct quota q;
    quota_init(&q, 120);
    for (uint16_t i = 0; i < 3; i++)
        quota_join(&q, i);
    uint32_t greedy = 0;
    for (int i = 0; i < 200; i++)
        if (quota_allows(&q, (uint16_t)(i % 2))) {
            quota_take(&q, (uint16_t)(i % 2));
            greedy++;
        }
    assert_int_equal(greedy, 100);
    assert_int_equal(quota_debtor(&q, 0), 0); /* it has its part */
    for (int i = 0; i < 20; i++) {
        assert_true(quota_allows(&q, 2));
        quota_take(&q, 2);
    }
    assert_false(quota_allows(&q, 2));
}

static void who_comes_late_has_a_part_as_well(void **state)
{
    (void)state;
    struct quota q;
    quota_init(&q, 120);
    quota_join(&q, 0);
    quota_join(&q, 1);
    for (int i = 0; i < 120; i++)
        quota_take(&q, (uint16_t)(i % 2));
    quota_join(&q, 2);
    for (int i = 0; i < 20; i++) {
        assert_false(quota_allows(&q, 2));
        uint16_t debtor = quota_debtor(&q, 2);
        assert_true(debtor < 2);
        quota_give(&q, debtor);
        assert_true(quota_allows(&q, 2));
        assert_false(quota_allows(&q, debtor));
        quota_take(&q, 2);
    }
    assert_true(q.has[0] == 50 && q.has[1] == 50);
    assert_int_equal(quota_debtor(&q, 2), 2);
}

/* Beside the sums, done the long way. */
static void check(const struct quota *q)
{
    uint32_t taken = 0, count = 0, kept = 0;
    for (uint16_t i = 0; i < QUBES_MAX; i++) {
        taken += q->has[i];
        count += q->member[i];
        if (q->member[i] && q->has[i] < q->part)
            kept += q->part - q->has[i];
    }
    assert_int_equal(q->taken, taken);
    assert_int_equal(q->kept, kept);
    assert_int_equal(q->part, count ? q->whole / 2 / count : 0);
    assert_true(taken <= q->whole);
}

/* In any state of the others, a qube that lacks in its part has one more: it is
 * free, or the debtor has more than its own part. */
static void random_use_keeps_the_books_and_the_parts(void **state)
{
    (void)state;
    struct quota q;
    uint64_t seed = 5;
    quota_init(&q, 1000);
    for (int i = 0; i < 200000; i++) {
        uint16_t member = (uint16_t)craft_below(&seed, 12);
        uint32_t what = craft_below(&seed, 100);
        if (!q.member[member]) {
            if (what < 20)
                quota_join(&q, member);
        } else if (what == 0) {
            while (q.has[member] > 0)
                quota_give(&q, member);
            quota_leave(&q, member);
        } else if (what < 85) {
            uint16_t debtor = quota_debtor(&q, member);
            bool lacks = q.has[member] < q.part;
            if (!quota_allows(&q, member) && lacks) {
                assert_true(q.has[debtor] > q.part);
                quota_give(&q, debtor);
                assert_true(quota_allows(&q, member));
            }
            if (quota_allows(&q, member))
                quota_take(&q, member);
        } else if (q.has[member] > 0) {
            quota_give(&q, member);
        }
        check(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone_has_half),
        cmocka_unit_test(the_part_of_another_is_kept),
        cmocka_unit_test(who_comes_late_has_a_part_as_well),
        cmocka_unit_test(random_use_keeps_the_books_and_the_parts),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
