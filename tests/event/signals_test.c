#include "gateway/event/signals.h"
#include "tests/turn.h"

#include <sys/wait.h>
#include <unistd.h>

static struct fixture {
    struct loop *loop;
    struct signals signals;
    int received[8];
    int count;
} fixture;

static void received(void *context, struct instant now, int signal)
{
    struct fixture *f = context;
    (void)now;
    assert_true(f->count < 8);
    f->received[f->count++] = signal;
}

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.loop = loop_new()};
    assert_non_null(fixture.loop);
    assert_int_equal(
        signals_open(&fixture.signals, fixture.loop, received, &fixture), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signals_close(&fixture.signals);
    loop_free(fixture.loop);
    return 0;
}

static void each_signal_is_told(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(kill(getpid(), signals[i]), 0);
        turn_for(fixture.loop, 10);
        assert_int_equal(fixture.count, i + 1);
        assert_int_equal(fixture.received[i], signals[i]);
    }
}

static void signals_that_come_together_are_all_told(void **state)
{
    (void)state;
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR1);
    turn_for(fixture.loop, 10);
    assert_int_equal(fixture.count, 2);
}

static void a_broken_pipe_is_an_error_and_no_death(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
}

static void after_closing_they_kill_again(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signals_close(&fixture.signals);
        kill(getpid(), SIGTERM);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_signal_is_told),
        TEST(signals_that_come_together_are_all_told),
        TEST(a_broken_pipe_is_an_error_and_no_death),
        TEST(after_closing_they_kill_again),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
