/* The plan of which file of a server is written when, on a clock of the test's
 * own. */
#include "gateway/serve/file_plan.h"

#include "tests/unit.h"

static struct instant at(int64_t seconds)
{
    return (struct instant){seconds * 1000000};
}

/* The files that are due at that second, as a bit for each. */
static unsigned due(struct file_plan *p, int64_t seconds)
{
    enum file_plan_file file;
    unsigned all = 0;
    while (file_plan_next(p, at(seconds), &file)) {
        assert_false(all & 1u << file); /* each once */
        all |= 1u << file;
    }
    return all;
}

enum {
    LEASES = 1 << FILE_PLAN_LEASES,
    STATUS = 1 << FILE_PLAN_STATUS,
    REVOKED = 1 << FILE_PLAN_REVOKED,
};

static void leases_are_written_in_time_and_at_the_end(void **state)
{
    (void)state;
    struct file_plan p = {0};
    file_plan_add(&p, FILE_PLAN_LEASES, 600, at(100));
    file_plan_taken_over(&p);
    assert_int_equal(file_plan_deadline(&p).us, at(700).us);
    assert_int_equal(due(&p, 699), 0);
    assert_int_equal(due(&p, 700), LEASES);
    assert_int_equal(file_plan_deadline(&p).us, at(1300).us);
    file_plan_end(&p);
    assert_int_equal(due(&p, 701), LEASES);
    assert_int_equal(due(&p, 10000), 0);
    assert_true(instant_is_never(file_plan_deadline(&p)));
}

static void what_has_not_been_read_is_never_written(void **state)
{
    (void)state;
    struct file_plan p = {0};
    file_plan_add(&p, FILE_PLAN_LEASES, 600, at(0));
    assert_true(instant_is_never(file_plan_deadline(&p)));
    assert_int_equal(due(&p, 100000), 0);
    file_plan_end(&p);
    assert_int_equal(due(&p, 100000), 0);
}

static void leases_without_an_interval_are_only_read(void **state)
{
    (void)state;
    struct file_plan p = {0};
    file_plan_add(&p, FILE_PLAN_LEASES, 0, at(0));
    file_plan_taken_over(&p);
    assert_true(instant_is_never(file_plan_deadline(&p)));
    file_plan_end(&p);
    assert_int_equal(due(&p, 100000), 0);
}

static void the_status_is_written_at_once(void **state)
{
    (void)state;
    struct file_plan p = {0};
    file_plan_add(&p, FILE_PLAN_STATUS, 60, at(5));
    assert_int_equal(due(&p, 5), STATUS);
    assert_int_equal(due(&p, 64), 0);
    assert_int_equal(due(&p, 65), STATUS);
    /* A late turn does not make up for those that it missed. */
    assert_int_equal(due(&p, 500), STATUS);
    assert_int_equal(file_plan_deadline(&p).us, at(560).us);
    file_plan_end(&p);
    assert_int_equal(due(&p, 501), STATUS);
}

static void the_revoked_are_looked_at_and_not_written(void **state)
{
    (void)state;
    struct file_plan p = {0};
    file_plan_add(&p, FILE_PLAN_REVOKED, 0, at(0));
    assert_int_equal(due(&p, FILE_PLAN_LOOK_SECONDS - 1), 0);
    assert_int_equal(due(&p, FILE_PLAN_LOOK_SECONDS), REVOKED);
    file_plan_end(&p);
    assert_int_equal(due(&p, 1000), 0);
}

static void another_file_is_news_until_it_was_read(void **state)
{
    (void)state;
    static const struct file_plan_mark old = {10, 20, 30, 40};
    static const struct file_plan_mark others[] = {
        {11, 20, 30, 40}, {10, 21, 30, 40}, {10, 20, 31, 40}, {10, 20, 30, 41}};
    struct file_plan p = {0};
    assert_true(file_plan_is_news(&p, &old));
    file_plan_saw(&p, &old);
    assert_false(file_plan_is_news(&p, &old));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(file_plan_is_news(&p, &others[i]));
        assert_true(file_plan_is_news(&p, &others[i])); /* not read yet */
    }
}

static void a_failure_is_told_once(void **state)
{
    (void)state;
    struct file_plan p = {0};
    file_plan_add(&p, FILE_PLAN_STATUS, 60, at(0));
    assert_false(file_plan_done(&p, FILE_PLAN_STATUS, true));
    assert_true(file_plan_done(&p, FILE_PLAN_STATUS, false));
    assert_false(file_plan_done(&p, FILE_PLAN_STATUS, false));
    assert_false(file_plan_done(&p, FILE_PLAN_STATUS, true));
    assert_true(file_plan_done(&p, FILE_PLAN_STATUS, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_are_written_in_time_and_at_the_end),
        cmocka_unit_test(what_has_not_been_read_is_never_written),
        cmocka_unit_test(leases_without_an_interval_are_only_read),
        cmocka_unit_test(the_status_is_written_at_once),
        cmocka_unit_test(the_revoked_are_looked_at_and_not_written),
        cmocka_unit_test(another_file_is_news_until_it_was_read),
        cmocka_unit_test(a_failure_is_told_once),
    };
    return cmocka_run_group_tests_name("file_plan", tests, NULL, NULL);
}
