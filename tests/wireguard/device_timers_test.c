/* The timers of a peer, to the millisecond of a clock that is told. */
#include "tests/unit.h"
#include "tests/wireguard/device_pair.h"

enum { JITTER = 334 };

static bool nothing_passes(struct device_pair *p, unsigned from,
                           struct bytes bytes)
{
    (void)p, (void)from, (void)bytes;
    return false;
}

static void assert_within(int64_t when, int64_t from, int64_t to)
{
    if (when < from || when > to)
        fail_msg("at %lld ms, and not from %lld to %lld", (long long)when,
                 (long long)from, (long long)to);
}

static void an_initiator_that_sends_renews_keys_after_120_s(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    struct instant start = p->now;
    unsigned first = p->log_count;
    for (int i = 0; i < 1250; i++) { /* both speak every 100 ms */
        device_pair_wait(p, 100);
        device_pair_send(p, PAIR_B, 100);
        device_pair_send(p, PAIR_A, 100);
    }
    assert_int_equal(
        device_pair_when(p, first, PAIR_A, WIRE_INITIATION, 0, start), 120000);
    assert_int_equal(device_pair_count(p, first, PAIR_A, WIRE_INITIATION), 1);
    assert_int_equal(device_pair_count(p, first, PAIR_B, WIRE_INITIATION), 0);
    assert_int_equal(p->end[PAIR_A].received, 1251);
    assert_int_equal(p->end[PAIR_B].received, 1251);
    device_pair_free(p);
}

static void an_initiator_that_only_receives_asks_after_165_s(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    struct instant start = p->now;
    device_pair_wait(p, 50); /* its own packets and keepalives stay behind */
    unsigned first = p->log_count;
    for (int i = 0; i < 130; i++) {
        device_pair_wait(p, 1000);
        device_pair_send(p, PAIR_B, 100);
    }
    /* every keepalive is a packet sent, and the first after 120 s is one */
    int64_t asked =
        device_pair_when(p, first, PAIR_A, WIRE_INITIATION, 0, start);
    assert_within(asked, 120000, 131000);
    device_pair_free(p);

    p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    start = p->now;
    device_pair_wait(p, 164999);
    first = p->log_count;
    p->pass = nothing_passes; /* its answer is of no interest */
    uint8_t data[2048];
    device_pair_send(p, PAIR_B, 100);
    uint16_t size = p->last_data_size[PAIR_B];
    memcpy(data, p->last_data[PAIR_B], size);
    device_pair_arrive(p, PAIR_A, &p->end[PAIR_B].place, bytes_of(data, size));
    device_pair_settle(p);
    assert_int_equal(device_pair_count(p, first, PAIR_A, WIRE_INITIATION), 0);
    device_pair_wait(p, 1);
    device_pair_send(p, PAIR_B, 100);
    device_pair_arrive(p, PAIR_A, &p->end[PAIR_B].place,
                       bytes_of(p->last_data[PAIR_B], size));
    device_pair_settle(p);
    assert_int_equal(
        device_pair_when(p, first, PAIR_A, WIRE_INITIATION, 0, start), 165000);
    device_pair_free(p);
}

static void keys_are_used_for_180_s(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint8_t old[2048];
    p->pass = nothing_passes;
    device_pair_send(p, PAIR_B, 100);
    uint16_t size = p->last_data_size[PAIR_B];
    memcpy(old, p->last_data[PAIR_B], size);
    device_pair_wait(p, 179999);
    assert_int_equal(device_pair_send(p, PAIR_B, 100), DROP_NONE);
    assert_int_equal(device_pair_arrive(p, PAIR_A, &p->end[PAIR_B].place,
                                        bytes_of(old, size)),
                     DROP_NONE);
    uint8_t late[2048];
    size = p->last_data_size[PAIR_B];
    memcpy(late, p->last_data[PAIR_B], size);
    device_pair_wait(p, 1);
    assert_int_equal(device_pair_send(p, PAIR_B, 100), DROP_SEAL_HELD);
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    assert_int_equal(device_pair_arrive(p, PAIR_A, &p->end[PAIR_B].place,
                                        bytes_of(late, size)),
                     DROP_DATA_NO_KEY);
    device_pair_free(p);
}

static void keys_are_wiped_after_540_s(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_pair_wait(p, 539999);
    assert_non_null(device_pair_peer(p, PAIR_A)->current);
    assert_non_null(device_pair_peer(p, PAIR_B)->current);
    device_pair_wait(p, 1);
    for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
        const struct peer *peer = device_pair_peer(p, end);
        static const struct handshake none;
        assert_null(peer->current);
        assert_null(peer->previous);
        assert_null(peer->next);
        assert_false(peer->initiated);
        assert_memory_equal(&peer->initiation, &none, sizeof none);
    }
    /* and by then nobody sends or plans anything */
    unsigned first = p->log_count;
    device_pair_wait(p, 3600000);
    assert_int_equal(p->log_count, first);
    device_pair_free(p);
}

static void an_initiation_is_tried_twenty_times(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    p->pass = nothing_passes;
    struct instant start = p->now;
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    device_pair_wait(p, 600000);
    int64_t before = 0;
    for (unsigned i = 0; i < 20; i++) {
        int64_t when =
            device_pair_when(p, 0, PAIR_A, WIRE_INITIATION, i, start);
        if (i > 0)
            assert_within(when - before, 5000, 5000 + JITTER);
        before = when;
    }
    assert_int_equal(device_pair_count(p, 0, PAIR_A, WIRE_INITIATION), 20);
    assert_true(device_pair_peer(p, PAIR_A)->gave_up);
    assert_int_equal(
        device_drops(p->end[PAIR_A].device)->count[DROP_SEAL_NO_KEY], 1);

    /* the next packet begins anew, at once */
    p->pass = NULL;
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    assert_int_equal(p->end[PAIR_B].received, 1);
    device_pair_free(p);
}

static void packets_to_send_do_not_make_tries_more_frequent(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    p->pass = nothing_passes;
    for (int i = 0; i < 980; i++) {
        assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
        device_pair_wait(p, 100);
    }
    int64_t before = -5000;
    unsigned count = device_pair_count(p, 0, PAIR_A, WIRE_INITIATION);
    assert_within(count, 19, 20);
    for (unsigned i = 0; i < count; i++) {
        int64_t when = device_pair_when(p, 0, PAIR_A, WIRE_INITIATION, i,
                                        (struct instant){1000000000});
        assert_within(when - before, 5000, 5000 + JITTER);
        before = when;
    }
    device_pair_free(p);
}

static void a_response_counts_as_an_initiation(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_send(p, PAIR_A, 100);
    struct instant start = p->now;
    unsigned first = p->log_count;
    p->pass = nothing_passes;
    device_pair_wait(p, 1000);
    /* B wants to, and may not before five seconds are over */
    device_connect(p->end[PAIR_B].device, 0, p->now, false);
    device_pair_wait(p, 20000);
    assert_int_equal(
        device_pair_when(p, first, PAIR_B, WIRE_INITIATION, 0, start), 5000);
    device_pair_free(p);
}

static void silence_of_15_s_is_answered_by_a_handshake(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_pair_wait(p, 30000);
    p->pass = nothing_passes;
    unsigned first = p->log_count;
    struct instant start = p->now;
    device_pair_send(p, PAIR_A, 100);
    device_pair_wait(p, 3000);
    device_pair_send(p, PAIR_A, 100); /* the first counts */
    device_pair_wait(p, 11999);
    assert_false(device_pair_peer(p, PAIR_A)->silent);
    device_pair_wait(p, 1 + JITTER);
    assert_true(device_pair_peer(p, PAIR_A)->silent);
    assert_within(device_pair_when(p, first, PAIR_A, WIRE_INITIATION, 0, start),
                  15000, 15000 + JITTER);
    device_pair_free(p);
}

/* Each draw would be a system call. */
static void packets_draw_no_randomness(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint64_t a = p->end[PAIR_A].random, b = p->end[PAIR_B].random;
    for (int i = 0; i < 10; i++) {
        device_pair_send(p, PAIR_A, 100);
        device_pair_send(p, PAIR_B, 100);
    }
    assert_int_equal(p->end[PAIR_A].random, a);
    assert_int_equal(p->end[PAIR_B].random, b);
    device_pair_free(p);
}

static void data_is_answered_within_10_s(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_pair_wait(p, 30000);
    unsigned first = p->log_count;
    struct instant start = p->now;
    device_pair_send(p, PAIR_A, 100);
    device_pair_wait(p, 60000);
    /* a keepalive, to which there is no answer; and no handshake */
    assert_int_equal(device_pair_when(p, first, PAIR_B, WIRE_DATA, 0, start),
                     10000);
    assert_int_equal(p->log[p->log_count - 1].size, WIRE_DATA_OVERHEAD);
    assert_int_equal(p->log_count, first + 2);

    /* once more where data came meanwhile */
    first = p->log_count;
    start = p->now;
    device_pair_send(p, PAIR_A, 100);
    device_pair_wait(p, 5000);
    device_pair_send(p, PAIR_A, 100);
    device_pair_wait(p, 60000);
    assert_int_equal(device_pair_when(p, first, PAIR_B, WIRE_DATA, 0, start),
                     10000);
    assert_int_equal(device_pair_when(p, first, PAIR_B, WIRE_DATA, 1, start),
                     20000);
    assert_int_equal(device_pair_count(p, first, PAIR_B, WIRE_DATA), 2);

    /* and never where something was sent anyway */
    first = p->log_count;
    device_pair_send(p, PAIR_A, 100);
    device_pair_wait(p, 9999);
    device_pair_send(p, PAIR_B, 100);
    device_pair_wait(p, 9999);
    assert_int_equal(device_pair_count(p, first, PAIR_B, WIRE_DATA), 1);
    device_pair_free(p);
}

static void a_persistent_keepalive_is_sent_in_silence(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 25);
    device_pair_connect(p);
    struct instant start = p->now;
    unsigned first = p->log_count;
    device_pair_wait(p, 65000);
    /* the first answers what B sent; then there is silence */
    assert_int_equal(device_pair_when(p, first, PAIR_A, WIRE_DATA, 0, start),
                     10000);
    assert_int_equal(device_pair_when(p, first, PAIR_A, WIRE_DATA, 1, start),
                     35000);
    assert_int_equal(device_pair_when(p, first, PAIR_A, WIRE_DATA, 2, start),
                     60000);
    /* without keys it brings them */
    device_pair_wait(p, 125000);
    assert_int_equal(device_pair_count(p, first, PAIR_A, WIRE_INITIATION), 1);
    device_pair_free(p);
}

static void new_keys_follow_when_counters_come_near_their_end(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_pair_wait(p, 6000);
    unsigned first = p->log_count;
    /* the responder asks as well as the initiator */
    device_pair_peer(p, PAIR_B)->current->next_counter = KEYPAIR_REKEY_AFTER;
    device_pair_send(p, PAIR_B, 100);
    assert_int_equal(device_pair_count(p, first, PAIR_B, WIRE_INITIATION), 1);
    assert_int_equal(device_pair_peer(p, PAIR_B)->handshakes, 2);
    device_pair_wait(p, 6000);

    /* without an answer the last counter is not passed */
    p->pass = nothing_passes;
    device_pair_peer(p, PAIR_A)->current->next_counter =
        COUNTER_WINDOW_LIMIT - 1;
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_NONE);
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    device_pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_initiator_that_sends_renews_keys_after_120_s),
        cmocka_unit_test(an_initiator_that_only_receives_asks_after_165_s),
        cmocka_unit_test(keys_are_used_for_180_s),
        cmocka_unit_test(keys_are_wiped_after_540_s),
        cmocka_unit_test(an_initiation_is_tried_twenty_times),
        cmocka_unit_test(packets_to_send_do_not_make_tries_more_frequent),
        cmocka_unit_test(a_response_counts_as_an_initiation),
        cmocka_unit_test(silence_of_15_s_is_answered_by_a_handshake),
        cmocka_unit_test(packets_draw_no_randomness),
        cmocka_unit_test(data_is_answered_within_10_s),
        cmocka_unit_test(a_persistent_keepalive_is_sent_in_silence),
        cmocka_unit_test(new_keys_follow_when_counters_come_near_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
