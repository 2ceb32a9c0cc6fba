#include "gateway/control/control.h"

#include "tests/turn.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_SIZE = 1024, MUCH = 4 * 1024 * 1024 };

struct fixture {
    struct loop *loop;
    struct control *control;
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
    if (command && strcmp(command, "much") == 0) {
        char *text = calloc(1, MUCH + 1);
        memset(text, 'x', MUCH);
        json_t *much = json_pack("{s:s}", "text", text);
        free(text);
        return much;
    }
    return command && strcmp(command, "echo") == 0 ? json_pack("{s:i}", "n", 7)
                                                   : NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/control-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/control", f->folder);
    f->loop = loop_new();
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

/* The bytes until the end of the connection; -1 if it has not ended. */
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
    turn_for(f->loop, 20);
    say(fd, "\"echo\"}\n");
    turn_for(f->loop, 20);
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
        turn_for(f->loop, 20);
        assert_true(answer_of(fd, answer) > 0);
        assert_non_null(strstr(answer, "\"error\""));
        close(fd);
    }
}

static long times_slept(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_nvcsw;
}

/* A visitor for whom there is no descriptor waits, and costs nothing. */
static void without_descriptors_it_waits_idly(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE];
    struct rlimit before, few;
    int fd = visit(f);
    say(fd, "{\"command\":\"echo\"}\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    long slept = times_slept();
    struct instant began = loop_now(f->loop);
    turn_for(f->loop, 400);
    slept = times_slept() - slept;
    int64_t took = instant_since(loop_now(f->loop), began).us;
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(f->asked, 0);
    /* A few, not thousands of short naps; more on a machine that is slow. */
    assert_true(slept <= 50 + took / 10000);
    for (unsigned i = 0; f->asked == 0; i++) {
        assert_true(i < 5000);
        turn_for(f->loop, 2);
    }
    assert_true(answer_of(fd, answer) > 0);
    assert_string_equal(answer, "{\"n\":7}\n");
    close(fd);
}

static void a_request_without_end_is_cut_off(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE], *much = malloc(CONTROL_REQUEST_MAX + 1);
    memset(much, 'x', CONTROL_REQUEST_MAX);
    much[CONTROL_REQUEST_MAX] = '\0';
    int fd = visit(f);
    say(fd, much);
    turn_for(f->loop, 20);
    assert_int_equal(answer_of(fd, answer), 0);
    assert_int_equal(f->asked, 0);
    close(fd);
    free(much);
}

static void who_waits_longest_makes_room_for_one_more(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE];
    int fds[CONTROL_CLIENTS_MAX + 1];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++) {
        fds[i] = visit(f);
        turn_for(f->loop, 10);
    }
    assert_int_equal(answer_of(fds[0], answer), 0);
    assert_int_equal(answer_of(fds[1], answer), -1);
    say(fds[CONTROL_CLIENTS_MAX], "{\"command\":\"echo\"}\n");
    turn_for(f->loop, 20);
    assert_true(answer_of(fds[CONTROL_CLIENTS_MAX], answer) > 0);

    /* The place of one that was answered is free: nobody else goes. */
    int next = visit(f);
    turn_for(f->loop, 10);
    assert_int_equal(answer_of(fds[1], answer), -1);
    assert_int_equal(answer_of(next, answer), -1);
    close(next);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++)
        close(fds[i]);
}

static void who_stalls_is_sent_away_in_the_end(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_SIZE];
    int silent = visit(f), halting = visit(f), sated = visit(f);
    say(halting, "{\"command\":");
    say(sated, "{\"command\":\"much\"}\n");
    turn_for(f->loop, 100);
    assert_int_equal(f->asked, 1);
    turn_for(f->loop, CONTROL_CLIENT_SECONDS * 500);
    assert_int_equal(answer_of(silent, answer), -1);
    assert_int_equal(answer_of(halting, answer), -1);
    /* A client that is here now is no older than it looks. */
    int late = visit(f);
    turn_for(f->loop, CONTROL_CLIENT_SECONDS * 500 + 200);
    assert_int_equal(answer_of(silent, answer), 0);
    assert_int_equal(answer_of(halting, answer), 0);
    assert_int_equal(answer_of(late, answer), -1);

    /* Text that is too much for the socket is not kept for a client that never
     * reads. */
    size_t size = 0;
    ssize_t n;
    while ((n = recv(sated, answer, sizeof answer, MSG_DONTWAIT)) > 0)
        size += (size_t)n;
    assert_int_equal(n, 0);
    assert_in_range(size, 1, MUCH - 1);
    close(silent);
    close(halting);
    close(sated);
    close(late);
}

/* In a process of its own: true if it was answered. */
static bool answered_as(struct fixture *f, uid_t user, gid_t group,
                        gid_t supplementary)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strcpy(address.sun_path, f->path);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char answer[ANSWER_SIZE];
        if (setgroups(1, &supplementary) || setgid(group) || setuid(user) ||
            connect(fd, (struct sockaddr *)&address, sizeof address))
            _exit(2);
        send(fd, "{\"command\":\"echo\"}\n", 19, MSG_NOSIGNAL);
        ssize_t size = recv(fd, answer, sizeof answer - 1, 0);
        answer[size > 0 ? size : 0] = '\0';
        /* A client that is refused is told why. */
        if (size <= 0)
            _exit(3);
        _exit(strstr(answer, "only root, and members") ? 1 : 0);
    }
    int result = 0;
    for (int i = 0; i < 1000 && waitpid(pid, &result, WNOHANG) == 0; i++)
        turn_for(f->loop, 10);
    assert_true(WIFEXITED(result));
    assert_in_range(WEXITSTATUS(result), 0, 1);
    return WEXITSTATUS(result) == 0;
}

static void only_owner_root_and_the_sockets_group_may_ask(void **state)
{
    struct fixture *f = *state;
    enum { STRANGER = 12345, GROUP = 23456 };
    if (geteuid() != 0)
        skip();
    /* A mode that is wrong opens nothing. */
    assert_int_equal(chmod(f->folder, 0711), 0);
    assert_int_equal(chmod(f->path, 0666), 0);
    assert_int_equal(chown(f->path, 0, GROUP), 0);
    assert_true(answered_as(f, 0, 0, 0));
    assert_true(answered_as(f, STRANGER, GROUP, STRANGER));
    assert_true(answered_as(f, STRANGER, STRANGER, GROUP));
    assert_false(answered_as(f, STRANGER, STRANGER, STRANGER));
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

static void its_directory_is_made(void **state)
{
    struct fixture *f = *state;
    char path[80], *end;
    snprintf(path, sizeof path, "%s/run/control", f->folder);
    struct control *second = control_open(path, f->loop, handle, f);
    assert_non_null(second);
    control_close(second);
    end = strrchr(path, '/');
    *end = '\0';
    assert_int_equal(rmdir(path), 0);

    snprintf(path, sizeof path, "%s/no/such/control", f->folder);
    assert_null(control_open(path, f->loop, handle, f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_and_the_connection_ends),
        TEST(rubbish_gets_an_error),
        TEST(without_descriptors_it_waits_idly),
        TEST(a_request_without_end_is_cut_off),
        TEST(who_waits_longest_makes_room_for_one_more),
        TEST(who_stalls_is_sent_away_in_the_end),
        TEST(only_owner_root_and_the_sockets_group_may_ask),
        TEST(a_socket_in_use_is_refused_and_a_stale_one_replaced),
        TEST(its_directory_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
