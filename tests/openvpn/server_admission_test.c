/* Who judges may be unable to: a client is not refused for that, but told to
 * come again in a while. */
#include "gateway/base/text.h"
#include "gateway/openvpn/peer_info.h"
#include "tests/openvpn/server_club.h"
#include "tests/unit.h"

static unsigned asked, busy; /* so many times, from now on */

static enum server_verdict judge(void *context,
                                 const struct server_login *login)
{
    (void)context;
    assert_true(text_equal(login->username, "anna"));
    asked++;
    if (busy == 0)
        return SERVER_ADMIT;
    busy--;
    return SERVER_BUSY;
}

static enum server_verdict later(void *context,
                                 const struct server_login *login)
{
    (void)context, (void)login;
    return asked++ == 0 ? SERVER_LATER : SERVER_ADMIT;
}

static int set_up(void **state)
{
    static struct server_club club;
    server_club_init(&club);
    asked = busy = 0;
    club.env.admit = judge;
    club.username = "anna";
    club.password = "correct-horse";
    *state = &club;
    return 0;
}

static int tear_down(void **state)
{
    server_club_clear(*state);
    return 0;
}

/* It is told so, waits as long as it is told to, and comes in then. */
static void who_is_put_off_comes_again_later(void **state)
{
    struct server_club *c = *state;
    busy = 1;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_milliseconds(4500));
    assert_false(m->up);
    assert_int_equal(asked, 1);
    assert_int_equal(server_club_status(c).put_off, 1);
    assert_non_null(strstr(m->text, "logins cannot be checked now"));
    server_club_run(c, duration_seconds(12));
    assert_true(m->up);
    assert_int_equal(asked, 2);
}

/* A client from before 2.6 would take it for the last word. */
static void an_old_client_that_is_put_off_starts_anew(void **state)
{
    struct server_club *c = *state;
    busy = 1;
    c->config.protocol_bits = ~(uint32_t)PEER_INFO_AUTH_FAILED_TEMPORARY;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_milliseconds(500));
    assert_false(m->up);
    assert_null(strstr(m->text, "logins cannot be checked now"));
    server_club_run(c, duration_seconds(12));
    assert_true(m->up);
    assert_int_equal(asked, 2);
}

/* It is in, and cannot be judged when it negotiates new keys. */
static void who_is_in_can_be_put_off_as_well(void **state)
{
    struct server_club *c = *state;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_true(m->up);
    busy = 1;
    server_renegotiate(c->server, c->now, 1);
    server_club_run(c, duration_seconds(3));
    assert_int_equal(server_club_status(c).put_off, 1);
    assert_false(m->up);
    server_club_run(c, duration_seconds(12));
    assert_true(m->up);
}

/* Whoever was asked cannot tell either. */
static void a_late_verdict_may_be_none(void **state)
{
    struct server_club *c = *state;
    c->env.admit = later;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    assert_false(m->up);
    server_put_off(c->server, c->now, 99); /* nobody */
    server_put_off(c->server, c->now, 1);
    server_put_off(c->server, c->now, 1);
    assert_int_equal(server_club_status(c).put_off, 1);
    server_club_run(c, duration_seconds(14));
    assert_true(m->up);
}

/* The reason is long enough for a challenge. */
static void a_challenge_is_told_whole(void **state)
{
    struct server_club *c = *state;
    char reason[200];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = 0;
    c->env.admit = later;
    server_club_open(c);
    struct server_club_member *m = server_club_join(c, NULL, NULL);
    server_club_run(c, duration_seconds(1));
    server_admit(c->server, c->now, 1, false, reason);
    server_club_run(c, duration_milliseconds(100));
    assert_non_null(strstr(m->text, reason));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_put_off_comes_again_later),
        TEST(an_old_client_that_is_put_off_starts_anew),
        TEST(who_is_in_can_be_put_off_as_well),
        TEST(a_late_verdict_may_be_none),
        TEST(a_challenge_is_told_whole),
    };
    return cmocka_run_group_tests_name("server_admission", tests, NULL, NULL);
}
