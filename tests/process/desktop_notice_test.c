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

static void up_is_said_once(void **state)
{
    struct fixture *f = *state;
    desktop_notice_up(&f->announce);
    expect(f, "up");
    desktop_notice_up(&f->announce);
    expect(f, NULL);
    desktop_notice_close(&f->announce);
    expect(f, "down");
}

static void an_ordinary_reconnect_is_no_news(void **state)
{
    struct fixture *f = *state;
    desktop_notice_up(&f->announce);
    expect(f, "up");
    desktop_notice_down(&f->announce, after(f, 0));
    desktop_notice_up(&f->announce);
    expect(f, NULL);
    desktop_notice_close(&f->announce);
}

/* Told again and again, it is the first time that counts. */
static void down_is_said_after_patience(void **state)
{
    struct fixture *f = *state;
    desktop_notice_up(&f->announce);
    expect(f, "up");
    desktop_notice_down(&f->announce, after(f, 0));
    struct instant end = f->announce.patience.deadline;
    desktop_notice_down(&f->announce, after(f, 2));
    assert_int_equal(f->announce.patience.deadline.us, end.us);
    expect(f, NULL);
    f->announce.patience.expired(f->announce.patience.context, end);
    expect(f, "down");
    desktop_notice_close(&f->announce);
    expect(f, NULL);
}

static void what_was_never_up_is_not_down(void **state)
{
    struct fixture *f = *state;
    desktop_notice_down(&f->announce, after(f, 0));
    assert_true(instant_is_never(f->announce.patience.deadline));
    desktop_notice_login(&f->announce);
    expect(f, "login");
    desktop_notice_close(&f->announce);
    expect(f, NULL);
}

static void whoever_listens_may_come_and_go(void **state)
{
    struct fixture *f = *state;
    close(f->listener);
    desktop_notice_up(&f->announce);
    unlink(f->path);
    desktop_notice_login(&f->announce);
    listen_at(f);
    desktop_notice_login(&f->announce);
    expect(f, "login");
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
        desktop_notice_up(&f->announce);
        desktop_notice_login(&f->announce);
        desktop_notice_close(&f->announce);
    }
    expect(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(up_is_said_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_ordinary_reconnect_is_no_news,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(down_is_said_after_patience, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_never_up_is_not_down, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whoever_listens_may_come_and_go, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_socket_nothing_happens,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("announce", tests, NULL, NULL);
}
