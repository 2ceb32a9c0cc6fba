/* The program that judges passwords for the server: good answers, and bad ones.
 * */
#include "gateway/serve/password_helper.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/serve/login_queue.h"
#include "tests/turn.h"

struct fixture {
    struct loop *loop;
    struct password_helper *helper;
    char path[64];
    int listener, peer;
    unsigned answers;
    uint64_t client;
    enum server_verdict verdict;
    char reason[128];
};

static void answered(void *context, struct instant now, uint64_t client,
                     enum server_verdict verdict, const char *reason)
{
    struct fixture *f = context;
    (void)now;
    f->answers++;
    f->client = client;
    f->verdict = verdict;
    snprintf(f->reason, sizeof f->reason, "%s", reason ? reason : "");
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof f->path, "/tmp/password-helper.%d", getpid());
    unlink(f->path);
    memcpy(name.sun_path, f->path, strlen(f->path) + 1);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&name, sizeof name),
                     0);
    assert_int_equal(listen(f->listener, 8), 0);
    f->peer = -1;
    f->loop = loop_new();
    f->helper = password_helper_new(f->path, f->loop, answered, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    password_helper_free(f->helper);
    close(f->listener);
    if (f->peer >= 0)
        close(f->peer);
    unlink(f->path);
    loop_free(f->loop);
    return 0;
}

static enum server_verdict ask_from(struct fixture *f, uint8_t from,
                                    const char *password)
{
    const struct server_path path = {
        .remote = {{.family = ADDRESS_IPV4, .bytes = {192, 0, 2, from}}, 5000}};
    const struct server_login login = {
        .client = 7,
        .common_name = "qube",
        .username = bytes_of_text("anna"),
        .password = bytes_of_text(password),
        .path = &path,
    };
    return password_helper_ask(f->helper, loop_now(f->loop), &login);
}

static enum server_verdict ask(struct fixture *f, const char *password)
{
    return ask_from(f, 1, password);
}

/* Asks, and answers with that text in two pieces. */
static void is_answered(struct fixture *f, const char *text)
{
    char question[1024];
    size_t half = strlen(text) / 2;
    f->answers = 0;
    if (f->peer >= 0)
        close(f->peer);
    assert_int_equal(ask(f, "correct-horse"), SERVER_LATER);
    f->peer = accept(f->listener, NULL, NULL);
    assert_true(f->peer >= 0);
    ssize_t n = recv(f->peer, question, sizeof question, 0);
    assert_true(n > 0 && question[n - 1] == '\n');
    json_t *o = json_loadb(question, (size_t)n, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "anna");
    assert_string_equal(json_string_value(json_object_get(o, "password")),
                        "correct-horse");
    assert_string_equal(json_string_value(json_object_get(o, "address")),
                        "192.0.2.1:5000");
    json_decref(o);
    assert_true(send(f->peer, text, half, 0) >= 0);
    turn_for(f->loop, 2);
    assert_int_equal(f->answers, 0);
    assert_true(send(f->peer, text + half, strlen(text) - half, MSG_NOSIGNAL) >=
                0);
    shutdown(f->peer, SHUT_WR);
    for (unsigned i = 0; f->answers == 0; i++) {
        assert_true(i < 5000);
        turn_for(f->loop, 2);
    }
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->client, 7);
}

static void good_and_bad_are_told_apart(void **state)
{
    struct fixture *f = *state;
    is_answered(f, "{\"good\": true}\n");
    assert_int_equal(f->verdict, SERVER_ADMIT);
    is_answered(f, "{\"good\": true, \"more\": 1}");
    assert_int_equal(f->verdict, SERVER_ADMIT);
    is_answered(f, "{\"good\": false, \"reason\": \"CRV1:R,E:x:y:PIN?\"}\n");
    assert_int_equal(f->verdict, SERVER_REFUSE);
    assert_string_equal(f->reason, "CRV1:R,E:x:y:PIN?");
    is_answered(f, "{\"good\": false}\n");
    assert_int_equal(f->verdict, SERVER_REFUSE);
    assert_string_equal(f->reason, "");
}

static void what_is_no_answer_is_a_refusal(void **state)
{
    struct fixture *f = *state;
    static const char *const answers[] = {"\n",
                                          "true\n",
                                          "{\"good\": 1}\n",
                                          "{\"good\": \"true\"}\n",
                                          "[1]\n",
                                          "{\"good\": tr\n",
                                          "{}\n",
                                          "\x80\n"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        is_answered(f, answers[i]);
        assert_int_equal(f->verdict, SERVER_REFUSE);
    }
}

/* It was started anew meanwhile: no word about the password. */
static void one_that_hangs_up_is_asked_again(void **state)
{
    struct fixture *f = *state;
    is_answered(f, "");
    assert_int_equal(f->verdict, SERVER_BUSY);
    is_answered(f, "{\"good\": fal");
    assert_int_equal(f->verdict, SERVER_BUSY);
}

static void whoever_cannot_tell_now_is_asked_again(void **state)
{
    struct fixture *f = *state;
    is_answered(f, "{\"good\": false, \"later\": true}\n");
    assert_int_equal(f->verdict, SERVER_BUSY);
}

static void a_question_that_cannot_be_asked_is_a_refusal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "not UTF-8: \xff"), SERVER_REFUSE);
}

static void where_nobody_listens_nobody_is_refused_for_good(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(ask(f, "x"), SERVER_BUSY);
}

static void no_more_than_so_many_wait(void **state)
{
    struct fixture *f = *state;
    int peers[LOGIN_QUEUE_OF_ONE];
    for (unsigned i = 0; i < LOGIN_QUEUE_OF_ONE; i++) {
        assert_int_equal(ask(f, "x"), SERVER_LATER);
        peers[i] = accept(f->listener, NULL, NULL);
    }
    assert_int_equal(ask(f, "x"), SERVER_BUSY);
    assert_int_equal(ask_from(f, 2, "x"), SERVER_LATER);
    f->peer = accept(f->listener, NULL, NULL);
    close(peers[3]);
    for (unsigned i = 0; f->answers == 0; i++) {
        assert_true(i < 5000);
        turn_for(f->loop, 2);
    }
    assert_int_equal(ask(f, "x"), SERVER_LATER);
    for (unsigned i = 0; i < LOGIN_QUEUE_OF_ONE; i++)
        if (i != 3)
            close(peers[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void say_nothing(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_and_bad_are_told_apart),
        TEST(what_is_no_answer_is_a_refusal),
        TEST(one_that_hangs_up_is_asked_again),
        TEST(whoever_cannot_tell_now_is_asked_again),
        TEST(a_question_that_cannot_be_asked_is_a_refusal),
        TEST(where_nobody_listens_nobody_is_refused_for_good),
        TEST(no_more_than_so_many_wait),
    };
    log_set_sink(say_nothing, NULL);
    return cmocka_run_group_tests_name("password_helper", tests, NULL, NULL);
}
