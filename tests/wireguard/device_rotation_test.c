/* The slots of both ends' keys, at each event of a handshake, and what still
 * passes: the table of peer.h, with messages lost, late and twice. */
#include "tests/packet/craft.h"
#include "tests/unit.h"
#include "tests/wireguard/device_pair.h"

/* Messages that the way keeps back, to be let through later. */
struct kept {
    enum wire_type type;
    unsigned from;
    bool had;
    uint8_t bytes[2048];
    uint16_t size;
};

static bool keeps_one_back(struct device_pair *p, unsigned from,
                           struct bytes bytes)
{
    struct kept *kept = p->context;
    if (kept->had || from != kept->from || wire_type_of(bytes) != kept->type)
        return true;
    memcpy(kept->bytes, bytes.data, bytes.size);
    kept->size = (uint16_t)bytes.size;
    kept->had = true;
    return false;
}

static void keep_back(struct device_pair *p, struct kept *kept, unsigned from,
                      enum wire_type type)
{
    *kept = (struct kept){.type = type, .from = from};
    p->pass = keeps_one_back;
    p->context = kept;
}

static enum drop let_through(struct device_pair *p, const struct kept *kept)
{
    assert_true(kept->had);
    enum drop drop =
        device_pair_arrive(p, !kept->from, &p->end[kept->from].place,
                           bytes_of(kept->bytes, kept->size));
    device_pair_settle(p);
    return drop;
}

static void rekey(struct device_pair *p, unsigned from)
{
    device_pair_wait(p, 6000);
    device_connect(p->end[from].device, 0, p->now, false);
    device_pair_settle(p);
}

static void a_responder_sends_nothing_before_it_got_data(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    keep_back(p, &kept, PAIR_A, WIRE_DATA);
    device_pair_send(p, PAIR_A, 100);
    const struct peer *b = device_pair_peer(p, PAIR_B);
    assert_null(b->current);
    assert_non_null(b->next);
    assert_int_equal(device_pair_send(p, PAIR_B, 100), DROP_SEAL_HELD);
    assert_int_equal(device_pair_count(p, 0, PAIR_B, WIRE_DATA), 0);

    /* the confirmation brings the rest */
    assert_int_equal(let_through(p, &kept), DROP_NONE);
    assert_non_null(b->current);
    assert_null(b->next);
    assert_int_equal(device_pair_count(p, 0, PAIR_B, WIRE_DATA), 1);
    assert_int_equal(p->end[PAIR_A].received, 1);
    device_pair_free(p);
}

static void an_initiator_confirms_at_once(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_connect(p->end[PAIR_A].device, 0, p->now, false);
    device_pair_settle(p);
    /* a keepalive, as there was nothing else */
    assert_int_equal(p->log_count, 3);
    assert_int_equal(p->log[2].type, WIRE_DATA);
    assert_int_equal(p->log[2].size, WIRE_DATA_OVERHEAD);
    assert_non_null(device_pair_peer(p, PAIR_B)->current);
    assert_false(instant_is_never(device_pair_peer(p, PAIR_B)->data));
    assert_true(instant_is_never(device_pair_peer(p, PAIR_A)->data));
    device_pair_free(p);
}

static void packets_under_the_keys_before_are_read(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    device_pair_connect(p);
    keep_back(p, &kept, PAIR_B, WIRE_DATA);
    device_pair_send(p, PAIR_B, 100);
    p->pass = NULL;
    rekey(p, PAIR_A);
    assert_non_null(device_pair_peer(p, PAIR_A)->previous);
    assert_int_equal(let_through(p, &kept), DROP_NONE);
    assert_int_equal(let_through(p, &kept), DROP_DATA_REPLAY);
    /* but not those before these */
    keep_back(p, &kept, PAIR_B, WIRE_DATA);
    device_pair_send(p, PAIR_B, 100);
    p->pass = NULL;
    rekey(p, PAIR_A);
    rekey(p, PAIR_A);
    assert_int_equal(let_through(p, &kept), DROP_DATA_NO_KEY);
    device_pair_free(p);
}

static void the_responder_sends_under_the_old_keys_until_then(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    device_pair_connect(p);
    const struct peer *b = device_pair_peer(p, PAIR_B);
    const struct keypair *old = b->current;
    keep_back(p, &kept, PAIR_A, WIRE_DATA);
    device_pair_wait(p, 6000);
    kept.had = false;
    device_connect(p->end[PAIR_A].device, 0, p->now, false);
    device_pair_settle(p);
    assert_ptr_equal(b->current, old);
    assert_non_null(b->next);
    unsigned before = p->end[PAIR_A].received;
    assert_int_equal(device_pair_send(p, PAIR_B, 100), DROP_NONE);
    assert_int_equal(p->end[PAIR_A].received, before + 1);
    assert_int_equal(let_through(p, &kept), DROP_NONE);
    assert_ptr_equal(b->previous, old);
    device_pair_free(p);
}

static void both_may_begin_at_once(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct device_send send;
    uint8_t first[2][WIRE_INITIATION_SIZE];
    for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
        device_connect(p->end[end].device, 0, p->now, false);
        assert_true(device_poll(p->end[end].device, p->now, &send));
        assert_int_equal(send.bytes.size, WIRE_INITIATION_SIZE);
        memcpy(first[end], send.bytes.data, send.bytes.size);
    }
    for (unsigned end = PAIR_A; end <= PAIR_B; end++)
        assert_int_equal(
            device_pair_arrive(p, !end, &p->end[end].place,
                               bytes_of(first[end], WIRE_INITIATION_SIZE)),
            DROP_NONE);
    device_pair_settle(p);
    for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
        assert_int_equal(device_pair_send(p, end, 100), DROP_NONE);
        assert_int_equal(p->end[!end].received, 1);
    }
    device_pair_free(p);
}

static void data_with_a_wrong_tag_confirms_nothing(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    keep_back(p, &kept, PAIR_A, WIRE_DATA);
    device_pair_send(p, PAIR_A, 100);
    kept.bytes[kept.size - 1] ^= 1;
    assert_int_equal(let_through(p, &kept), DROP_DATA_AUTH);
    assert_non_null(device_pair_peer(p, PAIR_B)->next);
    assert_null(device_pair_peer(p, PAIR_B)->current);
    kept.bytes[kept.size - 1] ^= 1;
    assert_int_equal(let_through(p, &kept), DROP_NONE);
    assert_null(device_pair_peer(p, PAIR_B)->next);
    device_pair_free(p);
}

static void lost_messages_of_a_handshake_are_made_up_for(void **state)
{
    (void)state;
    static const struct {
        unsigned from;
        enum wire_type type;
    } lost[] = {
        {PAIR_A, WIRE_INITIATION},
        {PAIR_B, WIRE_RESPONSE},
        {PAIR_A, WIRE_DATA},
    };
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        struct device_pair *p = device_pair_new(NULL, NULL, 0);
        struct kept kept;
        keep_back(p, &kept, lost[i].from, lost[i].type);
        device_pair_send(p, PAIR_A, 100);
        device_pair_wait(p, 5400);
        device_pair_send(p, PAIR_A, 100);
        device_pair_send(p, PAIR_B, 100);
        assert_true(p->end[PAIR_A].received >= 1);
        assert_true(p->end[PAIR_B].received >= 1);
        /* what was lost is of no use when it is late */
        if (lost[i].type != WIRE_DATA)
            assert_int_not_equal(let_through(p, &kept), DROP_NONE);
        device_pair_send(p, PAIR_A, 100);
        device_pair_free(p);
    }
}

/* The other end's handshake takes the place of ours, whose tries end with it;
 * so later packets begin another. */
static void a_try_that_the_other_end_overtook_is_over(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    keep_back(p, &kept, PAIR_A, WIRE_INITIATION);
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    assert_true(kept.had);
    device_connect(p->end[PAIR_B].device, 0, p->now, false);
    device_pair_settle(p);
    assert_int_equal(p->end[PAIR_B].received, 1);

    device_pair_wait(p, 185000); /* idle until the keys are too old */
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    assert_int_equal(p->end[PAIR_B].received, 2);
    assert_int_equal(device_pair_peer(p, PAIR_A)->handshakes, 2);
    device_pair_free(p);
}

/* A handshake of either role ends what the tries before it met. */
static void a_handshake_of_the_other_end_clears_what_ours_met(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    struct peer *a = (struct peer *)(uintptr_t)device_pair_peer(p, PAIR_A);
    keep_back(p, &kept, PAIR_A, WIRE_INITIATION);
    device_pair_send(p, PAIR_A, 100);
    a->busy = a->preshared_differs = a->gave_up = true;
    device_connect(p->end[PAIR_B].device, 0, p->now, false);
    device_pair_settle(p);
    assert_int_equal(a->handshakes, 1);
    assert_false(a->busy);
    assert_false(a->preshared_differs);
    assert_false(a->gave_up);
    device_pair_free(p);
}

static void a_restarted_peer_is_found_again(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_disconnect(p->end[PAIR_B].device, 0); /* it lost all */
    unsigned before = p->end[PAIR_B].received;
    device_pair_send(p, PAIR_A, 100);
    assert_int_equal(p->end[PAIR_B].received, before);
    device_pair_wait(p, 15400);
    device_pair_send(p, PAIR_A, 100);
    assert_int_equal(p->end[PAIR_B].received, before + 1);
    device_pair_free(p);
}

static void the_last_of_many_that_wait_leave_in_order(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct kept kept;
    keep_back(p, &kept, PAIR_A, WIRE_INITIATION);
    for (uint16_t i = 0; i < 130; i++)
        assert_int_equal(device_pair_send(p, PAIR_A, (uint16_t)(100 + i)),
                         DROP_SEAL_HELD);
    assert_int_equal(
        device_drops(p->end[PAIR_A].device)->count[DROP_SEAL_HELD_FULL], 2);
    unsigned first = p->log_count;
    let_through(p, &kept);
    assert_int_equal(p->end[PAIR_B].received, STAGING_MAX);
    assert_int_equal(p->end[PAIR_B].last_size, 229);
    /* the first of them has 102 bytes, and padding */
    for (unsigned i = first; i < p->log_count; i++)
        if (p->log[i].type == WIRE_DATA) {
            assert_int_equal(p->log[i].size, 112 + WIRE_DATA_OVERHEAD);
            break;
        }
    device_pair_free(p);
}

/* They are packets of our own, put while there is a key. */
static void more_than_can_wait_are_counted(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    struct device *a = p->end[PAIR_A].device;
    struct craft craft = {.source = p->end[PAIR_A].inner,
                          .destination = p->end[PAIR_B].inner,
                          .protocol = 17,
                          .ttl = 64};
    uint8_t packet[100];
    size_t size = craft_write(&craft, packet);
    for (int i = 0; i < STAGING_MAX + 2; i++)
        assert_int_equal(device_put(a, p->now, bytes_of(packet, size)),
                         DROP_NONE);
    assert_int_equal(device_drops(a)->count[DROP_SEAL_HELD_FULL], 2);
    device_pair_free(p);
}

static void a_stop_leaves_no_key(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_disconnect(p->end[PAIR_A].device, 0);
    const struct peer *a = device_pair_peer(p, PAIR_A);
    static const struct handshake none;
    assert_null(a->current);
    assert_null(a->previous);
    assert_memory_equal(&a->initiation, &none, sizeof none);
    assert_true(instant_is_never(device_deadline(p->end[PAIR_A].device)));
    device_pair_free(p);
}

/* A long talk over a bad way: a third is lost, and all that arrives, arrives
 * in one piece. Keys are renewed many times, and none is used too long. */
static bool loses_a_third(struct device_pair *p, unsigned from,
                          struct bytes bytes)
{
    uint32_t *s = p->context;
    (void)from, (void)bytes;
    return next_random(s) % 3 > 0;
}

static void an_hour_over_a_way_that_loses_a_third(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 25);
    uint32_t s = 9;
    unsigned sent = 0;
    p->pass = loses_a_third;
    p->context = &s;
    for (int second = 0; second < 3600; second++) {
        device_pair_wait(p, 1000);
        for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
            device_pair_send(p, end, 100);
            sent++;
        }
    }
    unsigned received = p->end[PAIR_A].received + p->end[PAIR_B].received;
    assert_true(received > sent / 2 && received < sent);
    const struct peer *a = device_pair_peer(p, PAIR_A);
    assert_true(a->handshakes > 25);
    assert_false(a->gave_up);
    /* two initiations of one end are five seconds apart, whatever is lost */
    for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
        struct instant last = {0};
        for (unsigned i = 0; i < p->log_count; i++) {
            if (p->log[i].from != end || p->log[i].type != WIRE_INITIATION)
                continue;
            assert_true(instant_since(p->log[i].at, last).us >= 5000000);
            last = p->log[i].at;
        }
    }
    device_pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_responder_sends_nothing_before_it_got_data),
        cmocka_unit_test(an_initiator_confirms_at_once),
        cmocka_unit_test(packets_under_the_keys_before_are_read),
        cmocka_unit_test(the_responder_sends_under_the_old_keys_until_then),
        cmocka_unit_test(both_may_begin_at_once),
        cmocka_unit_test(data_with_a_wrong_tag_confirms_nothing),
        cmocka_unit_test(lost_messages_of_a_handshake_are_made_up_for),
        cmocka_unit_test(a_try_that_the_other_end_overtook_is_over),
        cmocka_unit_test(a_handshake_of_the_other_end_clears_what_ours_met),
        cmocka_unit_test(a_restarted_peer_is_found_again),
        cmocka_unit_test(the_last_of_many_that_wait_leave_in_order),
        cmocka_unit_test(more_than_can_wait_are_counted),
        cmocka_unit_test(a_stop_leaves_no_key),
        cmocka_unit_test(an_hour_over_a_way_that_loses_a_third),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
