/* Connections that come in, also when there is no descriptor for them. */
#include "gateway/event/acceptor.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/turn.h"

enum { VISITORS = 8 };

struct fixture {
    struct loop *loop;
    struct acceptor acceptor;
    struct sockaddr_un name;
    int visitors[VISITORS], taken[VISITORS];
    size_t came;
    unsigned starved;
    int why;
};

static void came(void *context, struct instant now, int fd)
{
    struct fixture *f = context;
    (void)now;
    assert_true(f->came < VISITORS);
    f->taken[f->came++] = fd;
}

static void starved(void *context, struct instant now, bool again)
{
    struct fixture *f = context;
    (void)now;
    f->why = errno;
    assert_int_equal(again, f->starved > 0 && f->came == 0);
    f->starved++;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < VISITORS; i++)
        f->visitors[i] = f->taken[i] = -1;
    f->loop = loop_new();
    /* A name of the kernel's choice, in no file system. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof f->name;
    f->name.sun_family = AF_UNIX;
    assert_int_equal(bind(fd, (struct sockaddr *)&f->name, sizeof(sa_family_t)),
                     0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f->name, &size), 0);
    assert_int_equal(listen(fd, VISITORS), 0);
    const struct acceptor_owner owner = {f, came, starved};
    assert_int_equal(acceptor_open(&f->acceptor, f->loop, fd, 4, &owner), OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    acceptor_close(&f->acceptor);
    for (size_t i = 0; i < VISITORS; i++) {
        if (f->visitors[i] >= 0)
            close(f->visitors[i]);
        if (f->taken[i] >= 0)
            close(f->taken[i]);
    }
    loop_free(f->loop);
    return 0;
}

static void visit(struct fixture *f, size_t number)
{
    socklen_t size = sizeof(sa_family_t) + 6; /* NUL and five digits */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->name, size), 0);
    f->visitors[number] = fd;
}

/* No descriptor more than there are. */
static struct rlimit take_descriptors(void)
{
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    return before;
}

static void until_came(struct fixture *f, size_t count)
{
    for (unsigned i = 0; f->came < count; i++) {
        assert_true(i < 5000);
        turn_for(f->loop, 2);
    }
}

static void all_who_wait_are_taken(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < VISITORS; i++)
        visit(f, i);
    until_came(f, VISITORS);
    assert_int_equal(f->starved, 0);
}

/* Asked for once a second at most, however often the loop turns. */
static void without_a_descriptor_it_rests(void **state)
{
    struct fixture *f = *state;
    visit(f, 0);
    struct rlimit before = take_descriptors();
    struct instant began = loop_now(f->loop);
    for (unsigned i = 0; i < 50; i++)
        turn_for(f->loop, 2);
    int64_t seconds = instant_since(loop_now(f->loop), began).us / 1000000;
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(f->came, 0);
    assert_in_range(f->starved, 1,
                    (uintmax_t)(1 + seconds / ACCEPTOR_REST_SECONDS));
    assert_int_equal(f->why, EMFILE);
}

static void afterwards_who_waited_is_taken(void **state)
{
    struct fixture *f = *state;
    visit(f, 0);
    visit(f, 1);
    struct rlimit before = take_descriptors();
    turn_for(f->loop, 10);
    assert_int_equal(f->starved, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    until_came(f, 2);
    assert_int_equal(f->starved, 1);
}

/* The kind of error does not matter: a socket that does not listen would be
 * asked for ever. */
static void any_other_error_is_no_reason_to_spin_either(void **state)
{
    struct fixture *f = *state;
    visit(f, 0);
    assert_int_equal(shutdown(f->acceptor.watch.fd, SHUT_RDWR), 0);
    struct instant began = loop_now(f->loop);
    for (unsigned i = 0; i < 50; i++)
        turn_for(f->loop, 2);
    int64_t seconds = instant_since(loop_now(f->loop), began).us / 1000000;
    assert_in_range(f->starved, 0,
                    (uintmax_t)(1 + seconds / ACCEPTOR_REST_SECONDS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_who_wait_are_taken),
        TEST(without_a_descriptor_it_rests),
        TEST(afterwards_who_waited_is_taken),
        TEST(any_other_error_is_no_reason_to_spin_either),
    };
    return cmocka_run_group_tests_name("acceptor", tests, NULL, NULL);
}
