#include "gateway/base/log.h"
#include "gateway/event/notify.h"
#include "tests/turn.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fixture {
    struct loop *loop;
    struct notify notify;
    int manager; /* the service manager's socket */
    char path[64];
    unsigned lines;
} fixture;

/* The manager listens at the path, or at the abstract name after '@'. */
static void listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(at.sun_path, name, length);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    fixture.manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(fixture.manager, (struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
        0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void expect(const char *message)
{
    char got[2048];
    ssize_t size = recv(fixture.manager, got, sizeof got - 1, 0);
    assert_true(size >= 0);
    got[size] = '\0';
    assert_string_equal(got, message);
}

static unsigned count_messages(const char *message)
{
    char got[2048];
    unsigned count = 0;
    ssize_t size;
    while ((size = recv(fixture.manager, got, sizeof got - 1, 0)) >= 0) {
        got[size] = '\0';
        count += strcmp(got, message) == 0;
    }
    return count;
}

static void count_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
    fixture.lines++;
}

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.loop = loop_new(), .manager = -1};
    assert_non_null(fixture.loop);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    snprintf(fixture.path, sizeof fixture.path, "/tmp/notify-test-%d",
             (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    notify_close(&fixture.notify);
    if (fixture.manager >= 0)
        close(fixture.manager);
    unlink(fixture.path);
    loop_free(fixture.loop);
    log_set_sink(NULL, NULL);
    return 0;
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    notify_open(&fixture.notify, fixture.loop);
    notify_ready(&fixture.notify, "up");
    assert_int_equal(fixture.notify.fd, -1);
    turn_for(fixture.loop, 2);
}

static void the_uplink_is_told(void **state)
{
    (void)state;
    listen_at(fixture.path);
    notify_open(&fixture.notify, fixture.loop);
    notify_uplink(&fixture.notify, "10.137.0.5 10.137.0.1\nREADY=1");
    expect("X_UPLINK=10.137.0.5 10.137.0.1 READY=1");
}

static void states_are_told(void **state)
{
    (void)state;
    listen_at(fixture.path);
    notify_open(&fixture.notify, fixture.loop);
    notify_ready(&fixture.notify, NULL);
    expect("READY=1\n");
    notify_ready(&fixture.notify, "tunnel up");
    expect("READY=1\nSTATUS=tunnel up");
    notify_status(&fixture.notify, "reconnecting");
    expect("STATUS=reconnecting");
    notify_stopping(&fixture.notify, NULL);
    expect("STOPPING=1\n");
    turn_for(fixture.loop, 5);
    assert_int_equal(count_messages("WATCHDOG=1\n"), 0);
}

static void an_abstract_name_is_reached_too(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@notify-test-%d", (int)getpid());
    listen_at(name);
    notify_open(&fixture.notify, fixture.loop);
    notify_status(&fixture.notify, "x");
    expect("STATUS=x");
}

static void a_status_is_one_line_and_bounded(void **state)
{
    (void)state;
    char longest[1000];
    char got[2048];
    listen_at(fixture.path);
    notify_open(&fixture.notify, fixture.loop);
    notify_status(&fixture.notify, "a\nREADY=1");
    expect("STATUS=a READY=1");
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    notify_status(&fixture.notify, longest);
    assert_int_equal(recv(fixture.manager, got, sizeof got, 0), 511);
}

static void signs_of_life_come_at_half_the_interval(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    listen_at(fixture.path);
    setenv("WATCHDOG_USEC", "20000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    struct instant began = loop_now(fixture.loop);
    notify_open(&fixture.notify, fixture.loop);
    turn_for(fixture.loop, 65);
    int64_t took = instant_since(loop_now(fixture.loop), began).us;
    unsigned count = count_messages("WATCHDOG=1\n");
    /* One each 10 ms, however long the machine took for the 65. */
    assert_true(count >= 2 && count <= took / 10000 + 2);
}

static void anothers_watchdog_is_not_fed(void **state)
{
    (void)state;
    static const char *const intervals[] = {"20000", "-1", "soon", "0"};
    static const char *const pids[] = {"1", NULL, NULL, NULL};
    listen_at(fixture.path);
    for (int i = 0; i < 4; i++) {
        setenv("WATCHDOG_USEC", intervals[i], 1);
        if (pids[i])
            setenv("WATCHDOG_PID", pids[i], 1);
        else
            unsetenv("WATCHDOG_PID");
        notify_open(&fixture.notify, fixture.loop);
        turn_for(fixture.loop, 15);
        assert_int_equal(count_messages("WATCHDOG=1\n"), 0);
        notify_close(&fixture.notify);
    }
    notify_open(&fixture.notify, fixture.loop);
}

static void a_socket_nobody_listens_at_is_said_once(void **state)
{
    (void)state;
    log_set_sink(count_line, NULL);
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    notify_open(&fixture.notify, fixture.loop);
    notify_ready(&fixture.notify, "up");
    notify_status(&fixture.notify, "up");
    assert_int_equal(fixture.lines, 1);
    notify_close(&fixture.notify);
    setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
    notify_open(&fixture.notify, fixture.loop);
    assert_int_equal(fixture.notify.fd, -1);
}

static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
    (void)state;
    listen_at(fixture.path);
    notify_open(&fixture.notify, fixture.loop);
    for (int i = 0; i < 2000; i++)
        notify_status(&fixture.notify, "again");
    assert_true(count_messages("STATUS=again") > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_manager_nothing_happens),
        TEST(states_are_told),
        TEST(the_uplink_is_told),
        TEST(an_abstract_name_is_reached_too),
        TEST(a_status_is_one_line_and_bounded),
        TEST(signs_of_life_come_at_half_the_interval),
        TEST(anothers_watchdog_is_not_fed),
        TEST(a_socket_nobody_listens_at_is_said_once),
        TEST(a_manager_that_does_not_read_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
