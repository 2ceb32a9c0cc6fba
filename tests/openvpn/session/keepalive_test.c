#include "gateway/openvpn/session/keepalive.h"

#include "tests/unit.h"

static struct instant at(int64_t seconds)
{
    return (struct instant){seconds * 1000000};
}

static void a_ping_is_due_when_nothing_was_sent(void **state)
{
    (void)state;
    struct keepalive k;
    keepalive_init(&k, at(100), 10, 60);
    assert_false(keepalive_ping_due(&k, at(109)));
    assert_true(keepalive_ping_due(&k, at(110)));
    keepalive_sent(&k, at(109));
    assert_false(keepalive_ping_due(&k, at(118)));
    assert_true(keepalive_ping_due(&k, at(119)));
    /* what is received does not count */
    keepalive_received(&k, at(119));
    assert_true(keepalive_ping_due(&k, at(119)));
}

static void the_peer_is_gone_when_nothing_was_received(void **state)
{
    (void)state;
    struct keepalive k;
    keepalive_init(&k, at(100), 10, 60);
    keepalive_sent(&k, at(150));
    assert_false(keepalive_timed_out(&k, at(159)));
    assert_true(keepalive_timed_out(&k, at(160)));
    keepalive_received(&k, at(159));
    assert_false(keepalive_timed_out(&k, at(218)));
    assert_true(keepalive_timed_out(&k, at(219)));
}

static void the_deadline_is_the_earlier_of_both(void **state)
{
    (void)state;
    struct keepalive k;
    keepalive_init(&k, at(100), 10, 60);
    assert_int_equal(keepalive_deadline(&k).us, at(110).us);
    keepalive_sent(&k, at(158));
    assert_int_equal(keepalive_deadline(&k).us, at(160).us);
}

static void zero_seconds_switch_a_timer_off(void **state)
{
    (void)state;
    struct keepalive k;
    keepalive_init(&k, at(100), 0, 0);
    assert_true(instant_is_never(keepalive_deadline(&k)));
    assert_false(keepalive_ping_due(&k, at(1000000)));
    assert_false(keepalive_timed_out(&k, at(1000000)));
    keepalive_init(&k, at(100), 0, 60);
    assert_int_equal(keepalive_deadline(&k).us, at(160).us);
}

static void only_the_whole_ping_is_one(void **state)
{
    (void)state;
    uint8_t ping[KEEPALIVE_PING_SIZE + 1] = {0};
    keepalive_write_ping(ping);
    for (size_t size = 0; size <= sizeof ping; size++) {
        uint8_t *copy = exact_copy(ping, size);
        assert_int_equal(keepalive_is_ping(bytes_of(copy, size)),
                         size == KEEPALIVE_PING_SIZE);
        free(copy);
    }
    for (size_t i = 0; i < KEEPALIVE_PING_SIZE; i++) {
        ping[i] ^= 1;
        assert_false(keepalive_is_ping(bytes_of(ping, KEEPALIVE_PING_SIZE)));
        ping[i] ^= 1;
    }
    /* first and last byte as OpenVPN has them */
    assert_int_equal(ping[0], 0x2a);
    assert_int_equal(ping[15], 0x48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_due_when_nothing_was_sent),
        cmocka_unit_test(the_peer_is_gone_when_nothing_was_received),
        cmocka_unit_test(the_deadline_is_the_earlier_of_both),
        cmocka_unit_test(zero_seconds_switch_a_timer_off),
        cmocka_unit_test(only_the_whole_ping_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
