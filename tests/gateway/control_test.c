#include "gateway/control.h"

#include "tests/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_SIZE = 1024 };

struct fixture {
    struct loop *loop;
    struct control *control;
    struct loop_timer end;
    unsigned asked;
    char folder[32];
    char path[64];
};

static json_t *handle(void *context, struct instant now, const json_t *request)
{
    struct fixture *f = context;
    (void)now;
    f->asked++;
    const char *command =
        json_string_value(json_object_get(request, "command"));
    return command && strcmp(command, "echo") == 0 ? json_pack("{s:i}", "n", 7)
                                                   : NULL;
}

static void time_is_up(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    loop_quit(f->loop);
}

/* Lets the loop turn for a while. */
static void turn(struct fixture *f, int64_t milliseconds)
{
    loop_timer_set(&f->end, instant_after(loop_now(f->loop),
                                          duration_milliseconds(milliseconds)));
    assert_int_equal(loop_run(f->loop), OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/control-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/control", f->folder);
    f->loop = loop_new();
    f->end = (struct loop_timer){
        .deadline = INSTANT_NEVER, .expired = time_is_up, .context = f};
    loop_add_timer(f->loop, &f->end);
    f->control = control_open(f->path, f->loop, handle, f);
    assert_non_null(f->control);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    control_close(f->control);
    assert_int_equal(access(f->path, F_OK), -1);
    loop_remove_timer(f->loop, &f->end);
    loop_free(f->loop);
    rmdir(f->folder);
    free(f);
    return 0;
}

static int visit(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address),
                     0);
    return fd;
}

/* What came until the end of the connection; -1 if it has not ended. */
static ssize_t answer_of(int fd, char out[ANSWER_SIZE])
{
    size_t size = 0;
    ssize_t n;
    while ((n = recv(fd, out + size, ANSWER_SIZE - 1 - size, MSG_DONTWAIT)) > 0)
        size += (size_t)n;
    out[size] = '\0';
    return n == 0 || errno == ECONNRESET ? (ssize_t)size : -1;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
}

static void a_request_is_answered_and_the_connection_ends(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE];
    int fd = visit(f);
    say(fd, "{\"command\":");
    turn(f, 20);
    say(fd, "\"echo\"}\n");
    turn(f, 20);
    assert_true(answer_of(fd, answer) > 0);
    assert_string_equal(answer, "{\"n\":7}\n");
    close(fd);
}

static void rubbish_gets_an_error(void **state)
{
    struct fixture *f = *state;
    static const char *const rubbish[] = {
        "\n",
        "[]\n",
        "{\n",
        "\"echo\"\n",
        "{\"command\":7}\n",
        "{\"command\":\"echo\",\"command\":\"echo\"}\n",
        "\xff\xfe\n"};
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        char answer[ANSWER_SIZE];
        int fd = visit(f);
        say(fd, rubbish[i]);
        turn(f, 20);
        assert_true(answer_of(fd, answer) > 0);
        assert_non_null(strstr(answer, "\"error\""));
        close(fd);
    }
}

static void a_request_without_end_is_cut_off(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE], *much = malloc(CONTROL_REQUEST_MAX + 1);
    memset(much, 'x', CONTROL_REQUEST_MAX);
    much[CONTROL_REQUEST_MAX] = '\0';
    int fd = visit(f);
    say(fd, much);
    turn(f, 20);
    assert_int_equal(answer_of(fd, answer), 0);
    assert_int_equal(f->asked, 0);
    close(fd);
    free(much);
}

static void visitors_beyond_the_limit_are_sent_away(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE];
    int fds[CONTROL_CLIENTS_MAX + 1];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++) {
        fds[i] = visit(f);
        turn(f, 10);
    }
    assert_int_equal(answer_of(fds[0], answer), -1);
    assert_int_equal(answer_of(fds[CONTROL_CLIENTS_MAX], answer), 0);

    /* A place that is left is free again. */
    close(fds[0]);
    turn(f, 10);
    int next = visit(f);
    say(next, "{\"command\":\"echo\"}\n");
    turn(f, 20);
    assert_true(answer_of(next, answer) > 0);
    close(next);
    for (size_t i = 1; i < CONTROL_CLIENTS_MAX + 1; i++)
        close(fds[i]);
}

static void a_socket_in_use_is_refused_and_a_stale_one_replaced(void **state)
{
    struct fixture *f = *state;
    assert_null(control_open(f->path, f->loop, handle, f));

    /* As a killed gateway leaves it: the file, and nobody behind it. */
    char stale[80];
    snprintf(stale, sizeof stale, "%s-stale", f->path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, stale);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    struct control *second = control_open(stale, f->loop, handle, f);
    assert_non_null(second);
    struct stat file;
    assert_int_equal(stat(stale, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0660);
    control_close(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_and_the_connection_ends),
        TEST(rubbish_gets_an_error),
        TEST(a_request_without_end_is_cut_off),
        TEST(visitors_beyond_the_limit_are_sent_away),
        TEST(a_socket_in_use_is_refused_and_a_stale_one_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
