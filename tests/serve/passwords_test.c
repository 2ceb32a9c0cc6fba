/* Passwords against a file of hashes, in a thread of their own. */
#include "gateway/serve/passwords.h"

#include <crypt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/serve/login_queue.h"
#include "tests/turn.h"

enum { ANSWERS = 64 };

struct fixture {
    struct loop *loop;
    struct passwords *passwords;
    char path[32];
    size_t count;
    uint64_t clients[ANSWERS];
    enum server_verdict verdicts[ANSWERS];
};

static void answered(void *context, struct instant now, uint64_t client,
                     enum server_verdict verdict)
{
    struct fixture *f = context;
    (void)now;
    assert_true(f->count < ANSWERS);
    f->clients[f->count] = client;
    f->verdicts[f->count++] = verdict;
}

static void write_users(const struct fixture *f, const char *more)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    /* Slow enough that others can come meanwhile. */
    fprintf(file, "anna:%s\n", crypt("correct-horse", "$6$rounds=20000$salt"));
    fputs(more, file);
    fclose(file);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof f->path, "/tmp/passwords.%d", getpid());
    write_users(f, "odd:what is no hash\n");
    f->loop = loop_new();
    f->passwords = passwords_open(f->path, f->loop, answered, f);
    assert_non_null(f->passwords);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    passwords_close(f->passwords);
    loop_free(f->loop);
    unlink(f->path);
    return 0;
}

static enum server_verdict ask(struct fixture *f, uint64_t client, uint8_t from,
                               const char *name, const char *password)
{
    const struct server_path path = {
        .remote = {{.family = ADDRESS_IPV4, .bytes = {192, 0, 2, from}}, 5000}};
    const struct server_login login = {
        .client = client,
        .common_name = "",
        .username = bytes_of_text(name),
        .password = bytes_of_text(password),
        .path = &path,
    };
    return passwords_check(f->passwords, &login);
}

static void wait_for(struct fixture *f, size_t count)
{
    for (unsigned i = 0; f->count < count; i++) {
        assert_true(i < 30000);
        turn_for(f->loop, 2);
    }
}

static void judged(struct fixture *f, const char *name, const char *password,
                   enum server_verdict expected)
{
    f->count = 0;
    assert_int_equal(ask(f, 7, 1, name, password), SERVER_LATER);
    wait_for(f, 1);
    assert_int_equal(f->clients[0], 7);
    assert_int_equal(f->verdicts[0], expected);
}

static void right_and_wrong_are_told_apart(void **state)
{
    struct fixture *f = *state;
    judged(f, "anna", "correct-horse", SERVER_ADMIT);
    judged(f, "anna", "wrong-donkey", SERVER_REFUSE);
    judged(f, "anna", "", SERVER_REFUSE);
    /* The hash of somebody else is made, and that password is not his. */
    judged(f, "bert", "correct-horse", SERVER_REFUSE);
    judged(f, "odd", "what is no hash", SERVER_REFUSE);
}

static void the_file_is_read_for_each(void **state)
{
    struct fixture *f = *state;
    char line[160];
    judged(f, "bert", "battery", SERVER_REFUSE);
    snprintf(line, sizeof line, "bert:%s\n", crypt("battery", "$6$salt"));
    write_users(f, line);
    judged(f, "bert", "battery", SERVER_ADMIT);
}

/* A login that cannot be judged now is not refused for good. */
static void without_the_file_nobody_is_judged(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    judged(f, "anna", "correct-horse", SERVER_BUSY);
    write_users(f, "");
    judged(f, "anna", "correct-horse", SERVER_ADMIT);
}

/* A pipe without a writer would keep the thread, and with it the end. */
static void what_is_no_file_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    judged(f, "anna", "correct-horse", SERVER_BUSY);
    assert_null(passwords_open(f->path, f->loop, answered, f));
    assert_null(passwords_open("/tmp", f->loop, answered, f));
}

static void what_no_hash_is_of_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    char text[PASSWORDS_TEXT_MAX + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(ask(f, 1, 1, "", "x"), SERVER_REFUSE);
    assert_int_equal(ask(f, 1, 1, text, "x"), SERVER_REFUSE);
    assert_int_equal(ask(f, 1, 1, "anna", text), SERVER_REFUSE);
}

/* Wrong passwords without end from one address: the right one of another is
 * not refused, and has not to wait for them all. */
static void a_flood_does_not_keep_others_out(void **state)
{
    struct fixture *f = *state;
    uint64_t client = 0;
    while (ask(f, client, 1, "anna", "wrong-donkey") == SERVER_LATER)
        client++;
    assert_in_range(client, LOGIN_QUEUE_OF_ONE, LOGIN_QUEUE_PLACES);
    assert_int_equal(ask(f, 1000, 2, "anna", "correct-horse"), SERVER_LATER);
    wait_for(f, (size_t)client + 1);
    size_t place = 0;
    while (f->clients[place] != 1000)
        place++;
    assert_int_equal(f->verdicts[place], SERVER_ADMIT);
    assert_int_equal(f->verdicts[0], SERVER_REFUSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void say_nothing(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level, (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(right_and_wrong_are_told_apart),
        TEST(the_file_is_read_for_each),
        TEST(without_the_file_nobody_is_judged),
        TEST(what_is_no_file_holds_nobody_up),
        TEST(what_no_hash_is_of_is_refused_at_once),
        TEST(a_flood_does_not_keep_others_out),
    };
    log_set_sink(say_nothing, NULL);
    return cmocka_run_group_tests_name("passwords", tests, NULL, NULL);
}
