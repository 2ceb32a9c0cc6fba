/* All seconds on a clock of the test's own. */
#include "gateway/vpn/vpn_retry.h"

#include "tests/unit.h"

static struct instant at(int64_t seconds)
{
    return (struct instant){seconds * 1000000};
}

static struct protocol_status in_state(enum vpn_state state)
{
    return (struct protocol_status){
        .state = state,
        .next_try = INSTANT_NEVER,
        .wanted_try = INSTANT_NEVER,
        .asked_try = INSTANT_NEVER,
    };
}

/* Seconds of the next attempt, of when a qube may have it, and of the
 * server's back-off; -1: never. */
static struct protocol_status pausing(int64_t next, int64_t wanted,
                                      int64_t asked)
{
    struct protocol_status s = in_state(VPN_STATE_WAITING_TO_RETRY);
    s.next_try = at(next);
    s.wanted_try = wanted < 0 ? INSTANT_NEVER : at(wanted);
    s.asked_try = at(asked);
    return s;
}

/* Paused at this second, with a client's longest pause. */
static struct vpn_retry paused(int64_t now)
{
    struct vpn_retry r;
    struct protocol_status s = pausing(now + 30, now + 1, now);
    vpn_retry_init(&r);
    vpn_retry_told(&r, at(now), &s, 0);
    return r;
}

static void connecting(struct vpn_retry *r, int64_t now)
{
    struct protocol_status s = in_state(VPN_STATE_CONNECTING);
    s.answers = r->answers;
    vpn_retry_told(r, at(now), &s, 0);
}

static int64_t deadline(const struct vpn_retry *r)
{
    struct instant t = vpn_retry_deadline(r);
    return instant_is_never(t) ? -1 : instant_to_seconds(t);
}

static void the_clients_own_pauses_are_left_to_it(void **state)
{
    (void)state;
    struct vpn_retry r = paused(100);
    assert_int_equal(deadline(&r), -1);
    assert_false(vpn_retry_holds(&r));
    assert_int_equal(vpn_retry_expire(&r, at(1000)), VPN_RETRY_NOTHING);
}

static void a_packet_brings_the_next_attempt_forward(void **state)
{
    (void)state;
    struct vpn_retry r = paused(100);
    /* No sooner than the profile's connect-retry, here a second. */
    assert_true(vpn_retry_wanted(&r, at(100)));
    assert_int_equal(deadline(&r), 101);
    assert_int_equal(vpn_retry_expire(&r, at(100)), VPN_RETRY_NOTHING);
    assert_int_equal(vpn_retry_expire(&r, at(101)), VPN_RETRY_AGAIN);
    assert_int_equal(deadline(&r), -1);
}

static void more_packets_bring_nothing_more(void **state)
{
    (void)state;
    struct vpn_retry r = paused(100);
    assert_true(vpn_retry_wanted(&r, at(110)));
    assert_false(vpn_retry_wanted(&r, at(110)));
    assert_int_equal(deadline(&r), 110);
}

static void no_packet_helps_after_an_authentication_failure(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = pausing(400, -1, 100);
    vpn_retry_init(&r);
    vpn_retry_told(&r, at(100), &s, 0);
    assert_false(vpn_retry_wanted(&r, at(390)));
    assert_int_equal(deadline(&r), -1);
    /* Nor where another profile's turn is waited for. */
    s.rounds = 1;
    vpn_retry_told(&r, at(100), &s, 1);
    assert_false(vpn_retry_wanted(&r, at(110)));
    assert_int_equal(deadline(&r), 400);
}

static void packets_wait_for_the_servers_backoff(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = pausing(190, 160, 160);
    vpn_retry_init(&r);
    vpn_retry_told(&r, at(100), &s, 0);
    assert_true(vpn_retry_wanted(&r, at(101)));
    assert_int_equal(deadline(&r), 160);
}

static void only_a_pause_can_be_cut_short(void **state)
{
    (void)state;
    struct vpn_retry r;
    vpn_retry_init(&r);
    for (int i = 0; i < VPN_STATE_COUNT; i++) {
        struct protocol_status s = in_state((enum vpn_state)i);
        if (s.state == VPN_STATE_WAITING_TO_RETRY)
            continue;
        vpn_retry_told(&r, at(100), &s, 1);
        assert_false(vpn_retry_wanted(&r, at(100)));
        assert_int_equal(deadline(&r), -1);
    }
}

/* A qube that never stops sending, and a server that is not there: each
 * attempt fails at once. The seconds of its attempts. */
static size_t attempts(struct vpn_retry *r, int64_t from, int64_t seconds,
                       int64_t *when, size_t most)
{
    size_t count = 0;
    for (int64_t now = from; now < from + seconds && count < most; now++) {
        (void)vpn_retry_wanted(r, at(now));
        if (vpn_retry_expire(r, at(now)) != VPN_RETRY_AGAIN)
            continue;
        when[count++] = now;
        connecting(r, now);
        struct protocol_status s = pausing(now + 1000, now + 1, now);
        s.answers = r->answers;
        vpn_retry_told(r, at(now), &s, 0);
    }
    return count;
}

static void packets_help_ever_less_until_a_server_answers(void **state)
{
    (void)state;
    int64_t when[5];
    struct vpn_retry r = paused(100);
    assert_int_equal(attempts(&r, 105, 1000, when, 5), 5);
    const int64_t expected[] = {105, 115, 135, 165, 195};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(when[i], expected[i]);

    /* It answered, though there was no tunnel in the end. */
    struct protocol_status s = pausing(1000, 201, 200);
    s.answers = 1;
    vpn_retry_told(&r, at(200), &s, 0);
    assert_int_equal(attempts(&r, 200, 1000, when, 3), 3);
    assert_int_equal(when[0], 225); /* the pause that had begun */
    assert_int_equal(when[1], 235);
    assert_int_equal(when[2], 255);
}

static void an_outage_costs_thirty_seconds_at_most(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = pausing(0, 0, 0);
    vpn_retry_init(&r);
    s.rounds = 1;
    int64_t last = 0;
    for (int64_t i = 0; i < 100; i++) {
        s.next_try = at(i * 100 + 1);
        vpn_retry_told(&r, at(i * 100), &s, 2);
        assert_true(vpn_retry_holds(&r));
        last = deadline(&r) - i * 100;
        assert_true(last >= 1 && last <= 30);
        /* Three profiles, four rounds. */
        assert_true(i >= 3 * 5 || last == 1);
        assert_int_equal(vpn_retry_expire(&r, at(i * 100 + last)),
                         VPN_RETRY_NEXT_PROFILE);
        vpn_retry_reset(&r);
    }
    assert_int_equal(last, 30);
    struct protocol_status up = in_state(VPN_STATE_CONNECTED);
    vpn_retry_told(&r, at(20000), &up, 2);
    s.next_try = at(20001);
    vpn_retry_told(&r, at(20000), &s, 2);
    assert_int_equal(deadline(&r), 20001);
}

static void a_packet_brings_the_next_profiles_turn_forward(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = pausing(130, 101, 100);
    vpn_retry_init(&r);
    s.rounds = 1;
    vpn_retry_told(&r, at(100), &s, 1);
    assert_int_equal(deadline(&r), 130);
    assert_true(vpn_retry_wanted(&r, at(105)));
    assert_true(vpn_retry_holds(&r));
    assert_int_equal(vpn_retry_expire(&r, at(105)), VPN_RETRY_NEXT_PROFILE);
    assert_false(vpn_retry_holds(&r));
}

static void without_another_profile_a_stopped_client_stays(void **state)
{
    (void)state;
    struct vpn_retry r;
    vpn_retry_init(&r);
    vpn_retry_stopped(&r, at(100), 0);
    assert_int_equal(deadline(&r), -1);
    vpn_retry_stopped(&r, at(100), 1);
    assert_int_equal(deadline(&r), 105);
    /* The client says its state as well. */
    struct protocol_status s = in_state(VPN_STATE_STOPPED);
    vpn_retry_told(&r, at(100), &s, 1);
    assert_false(vpn_retry_wanted(&r, at(100)));
    assert_int_equal(vpn_retry_expire(&r, at(105)), VPN_RETRY_NEXT_PROFILE);
}

static void another_way_ends_a_pause_at_once(void **state)
{
    (void)state;
    struct vpn_retry r = paused(100);
    assert_int_equal(vpn_retry_way_changed(&r, at(100)), VPN_RETRY_WAY_CHANGED);
    /* After an authentication failure, too: it may be another network's. */
    struct protocol_status s = pausing(400, -1, 100);
    vpn_retry_told(&r, at(100), &s, 0);
    assert_int_equal(vpn_retry_way_changed(&r, at(110)), VPN_RETRY_WAY_CHANGED);
    s = in_state(VPN_STATE_CONNECTED);
    vpn_retry_told(&r, at(100), &s, 0);
    assert_int_equal(vpn_retry_way_changed(&r, at(110)), VPN_RETRY_WAY_CHANGED);
}

static void another_way_waits_for_the_servers_backoff_too(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = pausing(190, 160, 160);
    vpn_retry_init(&r);
    vpn_retry_told(&r, at(100), &s, 0);
    assert_int_equal(vpn_retry_way_changed(&r, at(110)), VPN_RETRY_NOTHING);
    assert_int_equal(deadline(&r), 160);
    assert_int_equal(vpn_retry_way_changed(&r, at(160)), VPN_RETRY_WAY_CHANGED);
}

static void another_way_is_no_answer_to_a_question(void **state)
{
    (void)state;
    static const enum vpn_state states[] = {
        VPN_STATE_BLOCKED, VPN_STATE_WAITING_FOR_LOGIN, VPN_STATE_STOPPED};
    struct vpn_retry r;
    vpn_retry_init(&r);
    for (size_t i = 0; i < 3; i++) {
        struct protocol_status s = in_state(states[i]);
        vpn_retry_told(&r, at(100), &s, 0);
        assert_int_equal(vpn_retry_way_changed(&r, at(110)), VPN_RETRY_NOTHING);
    }
}

/* No pause, no other state: only the rounds are more. */
static void a_protocol_that_never_pauses_gives_way_too(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = in_state(VPN_STATE_CONNECTING);
    vpn_retry_init(&r);
    vpn_retry_told(&r, at(100), &s, 1);
    assert_int_equal(deadline(&r), -1);
    s.rounds = 1;
    vpn_retry_told(&r, at(120), &s, 1);
    assert_int_equal(deadline(&r), 120);
    /* Its timers must go on meanwhile, and a try of its own is no reprieve. */
    assert_false(vpn_retry_holds(&r));
    s.reconnects = 1;
    vpn_retry_told(&r, at(120), &s, 1);
    assert_int_equal(vpn_retry_expire(&r, at(120)), VPN_RETRY_NEXT_PROFILE);

    /* If it comes through before its time is over, it stays. */
    vpn_retry_init(&r);
    vpn_retry_told(&r, at(120), &s, 1);
    s = in_state(VPN_STATE_CONNECTED);
    vpn_retry_told(&r, at(120), &s, 1);
    assert_int_equal(deadline(&r), -1);
    /* And alone it tries for ever. */
    s = in_state(VPN_STATE_CONNECTING);
    s.rounds = 7;
    vpn_retry_told(&r, at(130), &s, 0);
    assert_int_equal(deadline(&r), -1);
}

static void a_reconnect_by_a_person_is_no_other_profiles_turn(void **state)
{
    (void)state;
    struct vpn_retry r;
    struct protocol_status s = pausing(130, 101, 100);
    vpn_retry_init(&r);
    s.rounds = 1;
    vpn_retry_told(&r, at(100), &s, 1);
    assert_true(vpn_retry_holds(&r));
    s = in_state(VPN_STATE_CONNECTING);
    s.rounds = 1;
    vpn_retry_told(&r, at(101), &s, 1);
    assert_int_equal(deadline(&r), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clients_own_pauses_are_left_to_it),
        cmocka_unit_test(a_packet_brings_the_next_attempt_forward),
        cmocka_unit_test(more_packets_bring_nothing_more),
        cmocka_unit_test(no_packet_helps_after_an_authentication_failure),
        cmocka_unit_test(packets_wait_for_the_servers_backoff),
        cmocka_unit_test(only_a_pause_can_be_cut_short),
        cmocka_unit_test(packets_help_ever_less_until_a_server_answers),
        cmocka_unit_test(an_outage_costs_thirty_seconds_at_most),
        cmocka_unit_test(a_packet_brings_the_next_profiles_turn_forward),
        cmocka_unit_test(without_another_profile_a_stopped_client_stays),
        cmocka_unit_test(another_way_ends_a_pause_at_once),
        cmocka_unit_test(another_way_waits_for_the_servers_backoff_too),
        cmocka_unit_test(another_way_is_no_answer_to_a_question),
        cmocka_unit_test(a_protocol_that_never_pauses_gives_way_too),
        cmocka_unit_test(a_reconnect_by_a_person_is_no_other_profiles_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
