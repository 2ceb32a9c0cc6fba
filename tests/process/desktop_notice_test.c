#include "gateway/process/desktop_notice.h"

#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct desktop_notice announce;
    int listener;
    char folder[32];
    char path[64];
};

static void listen_at(struct fixture *f)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, f->path);
    f->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&at, sizeof at), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/announce-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/socket", f->folder);
    f->loop = loop_new();
    listen_at(f);
    desktop_notice_open(&f->announce, f->loop, f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    close(f->listener);
    unlink(f->path);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* NULL: nothing was said. */
static void expect(const struct fixture *f, const char *word)
{
    char said[64];
    ssize_t size = recv(f->listener, said, sizeof said - 1, 0);
    if (!word) {
        assert_int_equal(size, -1);
        return;
    }
    assert_true(size >= 0);
    said[size] = '\0';
    assert_string_equal(said, word);
}

static struct instant after(const struct fixture *f, int64_t seconds)
{
    return instant_after(loop_now(f->loop), duration_seconds(seconds));
}

static void tell(struct fixture *f, int64_t seconds, enum vpn_state state)
{
    desktop_notice_state(&f->announce, after(f, seconds), state);
}

static void connected_is_said_once(void **state)
{
    struct fixture *f = *state;
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, "connected");
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, NULL);
    desktop_notice_close(&f->announce);
    expect(f, "stopped");
}

static void an_ordinary_reconnect_is_no_news(void **state)
{
    struct fixture *f = *state;
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, "connected");
    tell(f, 0, VPN_STATE_WAITING_TO_RETRY);
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, NULL);
    desktop_notice_close(&f->announce);
}

/* Told again and again, it is the first time that counts. */
static void a_loss_is_said_after_patience(void **state)
{
    struct fixture *f = *state;
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, "connected");
    tell(f, 0, VPN_STATE_WAITING_TO_RETRY);
    struct instant end = f->announce.patience.deadline;
    tell(f, 2, VPN_STATE_CONNECTING);
    assert_int_equal(f->announce.patience.deadline.us, end.us);
    expect(f, NULL);
    f->announce.patience.expired(f->announce.patience.context, end);
    expect(f, "connecting");
    desktop_notice_close(&f->announce);
    expect(f, NULL);
}

static void an_end_is_said_at_once(void **state)
{
    struct fixture *f = *state;
    tell(f, 0, VPN_STATE_STOPPED);
    expect(f, NULL);
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, "connected");
    tell(f, 0, VPN_STATE_STOPPED);
    expect(f, "stopped");
    desktop_notice_close(&f->announce);
    expect(f, NULL);
}

/* A person who was asked knows that it is lost. */
static void a_login_that_is_asked_for_says_it_all(void **state)
{
    struct fixture *f = *state;
    tell(f, 0, VPN_STATE_CONNECTED);
    expect(f, "connected");
    tell(f, 0, VPN_STATE_CONNECTING);
    tell(f, 1, VPN_STATE_WAITING_FOR_LOGIN);
    expect(f, "waiting for login");
    assert_true(instant_is_never(f->announce.patience.deadline));
    desktop_notice_close(&f->announce);
    expect(f, NULL);
}

static void what_was_never_connected_is_not_lost(void **state)
{
    struct fixture *f = *state;
    tell(f, 0, VPN_STATE_WAITING_TO_RETRY);
    assert_true(instant_is_never(f->announce.patience.deadline));
    tell(f, 0, VPN_STATE_WAITING_FOR_LOGIN);
    expect(f, "waiting for login");
    desktop_notice_close(&f->announce);
    expect(f, NULL);
}

static void whoever_listens_may_come_and_go(void **state)
{
    struct fixture *f = *state;
    close(f->listener);
    tell(f, 0, VPN_STATE_CONNECTED);
    unlink(f->path);
    tell(f, 0, VPN_STATE_WAITING_FOR_LOGIN);
    listen_at(f);
    tell(f, 0, VPN_STATE_WAITING_FOR_LOGIN);
    expect(f, "waiting for login");
    desktop_notice_close(&f->announce);
}

static void without_a_socket_nothing_happens(void **state)
{
    struct fixture *f = *state;
    char too_long[200];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    const char *const paths[] = {NULL, too_long};
    desktop_notice_close(&f->announce);
    for (size_t i = 0; i < 2; i++) {
        desktop_notice_open(&f->announce, f->loop, paths[i]);
        tell(f, 0, VPN_STATE_CONNECTED);
        tell(f, 0, VPN_STATE_WAITING_FOR_LOGIN);
        desktop_notice_close(&f->announce);
    }
    expect(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connected_is_said_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_ordinary_reconnect_is_no_news,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_loss_is_said_after_patience, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_end_is_said_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_login_that_is_asked_for_says_it_all,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_never_connected_is_not_lost,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_listens_may_come_and_go, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_socket_nothing_happens,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("announce", tests, NULL, NULL);
}
