/* A server that lets nobody in for now: where the client tries next and when,
 * and how long it waits for an approval. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/openvpn/client/client_state.h"
#include "tests/simulator/quiet.h"
#include "tests/simulator/world.h"
#include "tests/unit.h"

static void with_a_password(struct config *c)
{
    c->auth_user_pass = true;
    assert_true(config_set_text(&c->username, bytes_of_text("anna")));
    assert_true(config_set_text(&c->password, bytes_of_text("right")));
}

static void with_two_remotes(struct config *c)
{
    with_a_password(c);
    struct config_remote *r = calloc(2, sizeof *r);
    assert_non_null(r);
    free(c->remotes);
    c->remotes = r;
    c->remote_count = 2;
    for (size_t i = 0; i < 2; i++) {
        config_remote_init(&r[i]);
        snprintf(r[i].host, sizeof r[i].host, "host%zu", i);
    }
}

static int64_t seconds_between(struct instant from, struct instant to)
{
    return instant_since(to, from).us / 1000000;
}

static void a_server_that_is_busy_says_when_and_where_to_try(void **state)
{
    (void)state;
    static const struct {
        const char *said, *tried;
        int64_t pause;
    } cases[] = {
        {"AUTH_FAILED,TEMP:busy", "host0 1;host0 1;", 1},
        {"AUTH_FAILED,TEMP[backoff 42,advance no]:busy", "host0 1;host0 1;",
         42},
        {"AUTH_FAILED,TEMP[advance addr]:busy", "host0 1;host0 2;", 1},
        {"AUTH_FAILED,TEMP[backoff 7,advance addr]", "host0 1;host0 2;", 7},
        {"AUTH_FAILED,TEMP[advance remote,backoff 3]:busy", "host0 1;host1 1;",
         3},
        /* The client passes over what it does not understand. */
        {"AUTH_FAILED,TEMP[advance home,backoff x]:busy", "host0 1;host0 1;",
         1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world_options o = world_usual(1);
        o.change_config = with_two_remotes;
        o.server.refuse = cases[i].said;
        struct world *w = world_new(&o);
        w->addresses = 2;
        assert_true(world_run_until(w, duration_seconds(10), CLIENT_PAUSING));
        struct instant refused = w->now;
        assert_int_equal(w->asks, 0);
        w->server.options.refuse = NULL;
        assert_true(
            world_run_until(w, duration_seconds(60), CLIENT_NEGOTIATING));
        int64_t pause = seconds_between(refused, w->now);
        if (pause < cases[i].pause || pause > cases[i].pause + 1)
            fail_msg("%s: tried again after %d s", cases[i].said, (int)pause);
        assert_string_equal(w->tried, cases[i].tried);
        assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
        world_free(w);
    }
}

static uint32_t hand_window, reneg_seconds;

static void with_windows(struct config *c)
{
    with_a_password(c);
    c->hand_window = hand_window;
    c->reneg_seconds = reneg_seconds;
}

/* The longer of half of reneg-sec and hand-window is the most. */
static void an_approval_is_waited_for_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        uint32_t hand, reneg;
        int64_t waited;
    } cases[] = {
        {"AUTH_PENDING", 60, 3600, 60},
        {"AUTH_PENDING,x,timeout 20", 60, 3600, 20},
        {"AUTH_PENDING,x,timeout 300", 60, 3600, 300},
        {"AUTH_PENDING,x,timeout 4000,y", 60, 3600, 1800},
        {"AUTH_PENDING,x,timeout 4294967295", 60, 3600, 1800},
        {"AUTH_PENDING,x,timeout 300", 60, 100, 60},
        {"AUTH_PENDING,x,timeout 300", 90, 0, 90},
        {"AUTH_PENDING,x,timeout -1", 60, 3600, 60},
        {"AUTH_PENDING,x,timeout 0", 60, 3600, 60},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world_options o = world_usual(1);
        hand_window = cases[i].hand;
        reneg_seconds = cases[i].reneg;
        o.change_config = with_windows;
        o.server.refuse = cases[i].said;
        struct world *w = world_new(&o);
        assert_true(
            world_run_until(w, duration_seconds(5), CLIENT_AWAIT_PUSH_REPLY));
        struct instant began = w->now;
        world_run(w, duration_milliseconds(500));
        assert_ptr_equal(w->server.said, cases[i].said);
        w->server.silent = true;
        assert_true(world_run_until(w, duration_seconds(5000), CLIENT_PAUSING));
        int64_t waited = seconds_between(began, w->now);
        if (waited < cases[i].waited || waited > cases[i].waited + 1)
            fail_msg("%s: waited %d s", cases[i].said, (int)waited);
        assert_int_equal(w->ups, 0);
        world_free(w);
    }
}

/* However often it says so, and whether it says for how long. */
static void a_server_cannot_make_us_wait_for_ever(void **state)
{
    (void)state;
    static const char words[][2][32] = {
        {"AUTH_PENDING", "AUTH_PENDING"},
        {"AUTH_PENDING,x,timeout 50", "AUTH_PENDING,timeout 0"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct world_options o = world_usual(1);
        hand_window = 60;
        reneg_seconds = 0;
        o.change_config = with_windows;
        o.server.refuse = words[i][0];
        struct world *w = world_new(&o);
        assert_true(
            world_run_until(w, duration_seconds(5), CLIENT_AWAIT_PUSH_REPLY));
        for (int k = 1; k <= 8; k++) {
            if (world_run_until(w, duration_seconds(10), CLIENT_PAUSING))
                break;
            w->server.options.refuse = words[i][k % 2];
        }
        if (world_status(w).state != CLIENT_PAUSING)
            fail_msg("%s: still waiting", words[i][0]);
        world_free(w);
    }
}

/* A server that sends everybody away before there is a tunnel is one that
 * fails, so that another profile gets its turn. */
static void being_sent_away_is_a_failure(void **state)
{
    (void)state;
    static const char *const words[] = {"RESTART,[N]try another",
                                        "RESTART,again", "EXIT"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct world_options o = world_usual(1);
        o.change_config = with_a_password;
        o.server.refuse = words[i];
        struct world *w = world_new(&o);
        assert_true(world_run_until(w, duration_seconds(10), CLIENT_PAUSING));
        if (world_status(w).rounds != 1)
            fail_msg("%s: no failure", words[i]);
        assert_int_equal(w->ups, 0);
        world_free(w);
    }
}

/* A profile without a password has no answer to a challenge. */
static void a_challenge_out_of_place_is_a_refusal(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    o.server.refuse = "AUTH_FAILED,CRV1:R,E:state:Ym9i:Which one?";
    struct world *w = world_new(&o);
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_PAUSING));
    w->server.options.refuse = NULL;
    assert_true(world_run_until(w, duration_seconds(30), CLIENT_UP));
    assert_int_equal(w->asks, 0);
    world_free(w);
}

/* Later than the client would have waited without a word. */
static void what_is_approved_late_comes_up(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    hand_window = 20;
    reneg_seconds = 3600;
    o.change_config = with_windows;
    o.server.refuse = "AUTH_PENDING,x,timeout 55";
    struct world *w = world_new(&o);
    world_run(w, duration_seconds(50));
    assert_int_equal(world_status(w).state, CLIENT_AWAIT_PUSH_REPLY);
    w->server.options.refuse = NULL;
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
    assert_int_equal(w->connects, 1);
    world_free(w);
}

static void refuse(struct world *w, int times)
{
    for (int i = 0; i < times; i++)
        client_refused(w->client, w->now);
}

/* A server that died between its certificate and its options. */
static struct world *held_back(void)
{
    struct world_options o = world_usual(1);
    hand_window = 60;
    reneg_seconds = 3600;
    o.change_config = with_windows;
    o.server.refuse = "AUTH_PENDING";
    struct world *w = world_new(&o);
    assert_true(
        world_run_until(w, duration_seconds(5), CLIENT_AWAIT_PUSH_REPLY));
    world_run(w, duration_milliseconds(500));
    return w;
}

static void refusals_and_silence_are_reason_enough_to_go_on(void **state)
{
    (void)state;
    struct world *w = held_back();
    w->server.silent = true;
    refuse(w, CLIENT_REFUSALS);
    world_run(w, duration_milliseconds(9900));
    assert_int_equal(world_status(w).state, CLIENT_AWAIT_PUSH_REPLY);
    world_run(w, duration_milliseconds(200));
    assert_int_equal(world_status(w).state, CLIENT_PAUSING);
    assert_non_null(strstr(world_status(w).last_error, "is closed, says ICMP"));
    assert_int_equal(world_status(w).rounds, 1);
    world_free(w);
}

/* ICMP may be forged. */
static void neither_alone_is_reason_enough(void **state)
{
    (void)state;
    struct world *w = held_back();
    w->server.silent = true;
    refuse(w, CLIENT_REFUSALS - 1);
    world_run(w, duration_seconds(30));
    assert_int_equal(world_status(w).state, CLIENT_AWAIT_PUSH_REPLY);
    world_free(w);

    struct world_options o = world_usual(1);
    w = world_new(&o);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    for (int i = 0; i < 120; i++) {
        refuse(w, CLIENT_REFUSALS);
        world_run(w, duration_seconds(1));
        assert_true(world_server_sends(w));
    }
    refuse(w, CLIENT_REFUSALS);
    world_run(w, duration_seconds(1));
    assert_true(world_server_sends(w));
    world_run(w, duration_seconds(15));
    assert_int_equal(w->downs, 0);
    world_free(w);
}

static void a_tunnel_ends_so_too(void **state)
{
    (void)state;
    struct world_options o = world_usual(1);
    struct world *w = world_new(&o);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_run(w, duration_seconds(1));
    w->server.silent = true;
    refuse(w, CLIENT_REFUSALS);
    world_run(w, duration_seconds(9));
    assert_int_equal(w->downs, 0);
    world_run(w, duration_seconds(2));
    assert_int_equal(w->downs, 1);
    w->server.silent = false;
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_is_busy_says_when_and_where_to_try),
        cmocka_unit_test(an_approval_is_waited_for_within_bounds),
        cmocka_unit_test(a_server_cannot_make_us_wait_for_ever),
        cmocka_unit_test(being_sent_away_is_a_failure),
        cmocka_unit_test(a_challenge_out_of_place_is_a_refusal),
        cmocka_unit_test(what_is_approved_late_comes_up),
        cmocka_unit_test(refusals_and_silence_are_reason_enough_to_go_on),
        cmocka_unit_test(neither_alone_is_reason_enough),
        cmocka_unit_test(a_tunnel_ends_so_too),
    };
    return cmocka_run_group_tests_name("verdict", tests, quiet, NULL);
}
