#include "gateway/openvpn/control/reliable.h"

#include "tests/unit.h"

static struct instant at(int64_t milliseconds)
{
    return instant_after((struct instant){0},
                         duration_milliseconds(milliseconds));
}

static struct reliable *started(void **state)
{
    struct reliable *r = *state;
    reliable_clear(r); /* after the test before */
    reliable_init(r, duration_seconds(2));
    return r;
}

static int allocate(void **state)
{
    *state = calloc(1, sizeof(struct reliable));
    return *state ? 0 : -1;
}

static int release(void **state)
{
    reliable_clear(*state);
    free(*state);
    return 0;
}

static void send(struct reliable *r, int64_t milliseconds, const char *text)
{
    assert_true(reliable_send(r, at(milliseconds), OPCODE_CONTROL_V1,
                              bytes_of_text(text)));
}

/* The ids that are due, in order. */
static size_t transmit_all(struct reliable *r, int64_t milliseconds,
                           uint32_t ids[RELIABLE_SEND_WINDOW])
{
    struct control_packet p;
    size_t count = 0;
    while (reliable_transmit(r, at(milliseconds), &p)) {
        assert_true(count < RELIABLE_SEND_WINDOW);
        ids[count++] = p.message_id;
    }
    return count;
}

static void ack(struct reliable *r, uint32_t id)
{
    reliable_acked(r, &id, 1);
}

static void receive(struct reliable *r, uint32_t id,
                    enum reliable_verdict expected)
{
    assert_int_equal(
        reliable_receive(r, id, OPCODE_CONTROL_V1, bytes_of(&id, sizeof id)),
        expected);
}

static void a_new_one_has_nothing_to_do(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    uint8_t opcode;
    uint32_t id;
    struct bytes payload;
    assert_true(reliable_can_send(r));
    assert_true(reliable_all_acked(r));
    assert_false(reliable_transmit(r, at(0), &p));
    assert_false(reliable_transmit_ack(r, &p));
    assert_false(reliable_next(r, &opcode, &id, &payload));
    assert_true(instant_is_never(reliable_deadline(r)));
}

static void a_message_goes_out_with_its_bytes_and_id(void **state)
{
    struct reliable *r = started(state);
    char text[] = "first";
    struct control_packet p = {.key_id = 5, .session = {{9}}};
    assert_true(reliable_send(r, at(0), OPCODE_CONTROL_HARD_RESET_CLIENT_V2,
                              bytes_of(NULL, 0)));
    send(r, 0, text);
    memset(text, 'x', sizeof text); /* it was copied */

    assert_true(reliable_transmit(r, at(0), &p));
    assert_int_equal(p.opcode, OPCODE_CONTROL_HARD_RESET_CLIENT_V2);
    assert_int_equal(p.message_id, 0);
    assert_int_equal(p.payload.size, 0);
    assert_int_equal(p.ack_count, 0);
    assert_true(reliable_transmit(r, at(0), &p));
    assert_int_equal(p.opcode, OPCODE_CONTROL_V1);
    assert_int_equal(p.message_id, 1);
    assert_bytes_equal(p.payload, bytes_of_text("first"));
    assert_false(reliable_transmit(r, at(0), &p));
    /* The bytes that the session fills in were left alone. */
    assert_int_equal(p.key_id, 5);
    assert_int_equal(p.session.bytes[0], 9);
}

static void repeats_come_after_2_4_8_seconds(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    int64_t due = 1000, pause = 2000;
    send(r, due, "x");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(reliable_deadline(r).us, at(due).us);
        assert_false(reliable_transmit(r, at(due - 1), &p));
        assert_true(reliable_transmit(r, at(due), &p));
        assert_int_equal(p.message_id, 0);
        assert_false(reliable_transmit(r, at(due), &p));
        due += pause;
        pause = pause * 2 < RELIABLE_PAUSE_MAX * 1000
                    ? pause * 2
                    : RELIABLE_PAUSE_MAX * 1000;
    }
    assert_false(reliable_all_acked(r));
    ack(r, 0);
    assert_true(reliable_all_acked(r));
    assert_true(instant_is_never(reliable_deadline(r)));
    assert_false(reliable_transmit(r, at(due + 100000), &p));
}

static void the_send_window_counts_from_the_oldest(void **state)
{
    struct reliable *r = started(state);
    for (int i = 0; i < RELIABLE_SEND_WINDOW; i++)
        send(r, 0, "x");
    assert_false(reliable_can_send(r));
    assert_false(
        reliable_send(r, at(0), OPCODE_CONTROL_V1, bytes_of_text("x")));
    /* A peer that waits for id 0 could not hold more. */
    ack(r, 1);
    ack(r, 2);
    ack(r, 3);
    assert_false(reliable_can_send(r));
    assert_false(
        reliable_send(r, at(0), OPCODE_CONTROL_V1, bytes_of_text("x")));
    ack(r, 0);
    assert_true(reliable_can_send(r));
    for (int i = 0; i < RELIABLE_SEND_WINDOW; i++)
        send(r, 0, "x");
    assert_int_equal(r->next_send_id, 8);
}

static void three_later_acks_repeat_at_once(void **state)
{
    struct reliable *r = started(state);
    uint32_t ids[RELIABLE_SEND_WINDOW];
    for (int i = 0; i < RELIABLE_SEND_WINDOW; i++)
        send(r, 0, "x");
    assert_int_equal(transmit_all(r, 0, ids), 4);
    ack(r, 3);
    ack(r, 1);
    assert_int_equal(transmit_all(r, 100, ids), 0);
    ack(r, 2);
    assert_true(instant_reached(at(100), reliable_deadline(r)));
    assert_int_equal(transmit_all(r, 100, ids), 1);
    assert_int_equal(ids[0], 0);
    /* And counted anew; the pause doubled. */
    assert_int_equal(reliable_deadline(r).us, at(100 + 4000).us);
}

static void a_repeat_counts_later_acks_anew(void **state)
{
    struct reliable *r = started(state);
    uint32_t ids[RELIABLE_SEND_WINDOW];
    for (int i = 0; i < RELIABLE_SEND_WINDOW; i++)
        send(r, 0, "x");
    assert_int_equal(transmit_all(r, 0, ids), 4);
    ack(r, 1);
    ack(r, 2);
    assert_int_equal(transmit_all(r, 2000, ids), 2);
    ack(r, 3);
    assert_int_equal(transmit_all(r, 2001, ids), 0);
}

static void repeated_and_unknown_acks_count_for_nothing(void **state)
{
    struct reliable *r = started(state);
    uint32_t ids[RELIABLE_SEND_WINDOW];
    for (int i = 0; i < RELIABLE_SEND_WINDOW; i++)
        send(r, 0, "x");
    assert_int_equal(transmit_all(r, 0, ids), 4);
    for (int i = 0; i < 5; i++) {
        ack(r, 2);
        ack(r, 77);
        ack(r, UINT32_MAX);
    }
    assert_int_equal(transmit_all(r, 1999, ids), 0);
    assert_int_equal(transmit_all(r, 2000, ids), 3);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 1);
    assert_int_equal(ids[2], 3);
}

static void an_earlier_ack_hurries_nothing(void **state)
{
    struct reliable *r = started(state);
    uint32_t ids[RELIABLE_SEND_WINDOW];
    for (int i = 0; i < RELIABLE_SEND_WINDOW; i++)
        send(r, 0, "x");
    assert_int_equal(transmit_all(r, 0, ids), 4);
    ack(r, 0);
    ack(r, 1);
    ack(r, 2);
    assert_int_equal(transmit_all(r, 1999, ids), 0);
}

static void a_burst_begins_anew(void **state)
{
    struct reliable *r = started(state);
    uint32_t ids[RELIABLE_SEND_WINDOW];
    send(r, 0, "x");
    send(r, 0, "x");
    assert_int_equal(transmit_all(r, 0, ids), 2);
    assert_int_equal(transmit_all(r, 2000, ids), 2);
    reliable_burst(r, at(2500));
    assert_int_equal(transmit_all(r, 2500, ids), 2);
    assert_int_equal(reliable_deadline(r).us, at(4500).us);
    /* Nothing pending, nothing to re-arm. */
    ack(r, 0);
    ack(r, 1);
    reliable_burst(r, at(3000));
    assert_int_equal(transmit_all(r, 3000, ids), 0);
}

static void too_large_a_message_is_refused(void **state)
{
    struct reliable *r = started(state);
    static uint8_t large[RELIABLE_PAYLOAD_MAX + 1];
    assert_true(reliable_send(r, at(0), OPCODE_CONTROL_V1,
                              bytes_of(large, RELIABLE_PAYLOAD_MAX)));
    assert_false(reliable_send(r, at(0), OPCODE_CONTROL_V1,
                               bytes_of(large, RELIABLE_PAYLOAD_MAX + 1)));
    assert_int_equal(r->next_send_id, 1);
    assert_int_equal(reliable_receive(r, 0, OPCODE_CONTROL_V1,
                                      bytes_of(large, sizeof large)),
                     RELIABLE_OUTSIDE);
    receive(r, 0, RELIABLE_STORED);
}

static void messages_come_in_order(void **state)
{
    struct reliable *r = started(state);
    static const uint32_t order[] = {2, 0, 3, 1};
    uint8_t opcode;
    uint32_t id, next = 0;
    struct bytes payload;
    for (size_t i = 0; i < 4; i++) {
        receive(r, order[i], RELIABLE_STORED);
        while (reliable_next(r, &opcode, &id, &payload)) {
            assert_int_equal(id, next);
            assert_bytes_equal(payload, bytes_of(&next, sizeof next));
            assert_int_equal(opcode, OPCODE_CONTROL_V1);
            reliable_consume(r);
            next++;
        }
    }
    assert_int_equal(next, 4);
}

static void the_receive_window_is_exactly_twelve(void **state)
{
    struct reliable *r = started(state);
    receive(r, RELIABLE_RECEIVE_WINDOW, RELIABLE_OUTSIDE);
    receive(r, UINT32_MAX, RELIABLE_OUTSIDE);
    for (uint32_t id = RELIABLE_RECEIVE_WINDOW; id-- > 0;)
        receive(r, id, RELIABLE_STORED);
    receive(r, RELIABLE_RECEIVE_WINDOW, RELIABLE_OUTSIDE);
    reliable_consume(r);
    receive(r, RELIABLE_RECEIVE_WINDOW, RELIABLE_STORED);
    receive(r, RELIABLE_RECEIVE_WINDOW + 1, RELIABLE_OUTSIDE);
}

static void what_is_outside_is_not_acknowledged(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    receive(r, 500, RELIABLE_OUTSIDE);
    assert_false(reliable_transmit_ack(r, &p));
}

static void a_repeat_is_acknowledged_and_not_stored(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    uint8_t opcode;
    uint32_t id;
    struct bytes payload;
    receive(r, 0, RELIABLE_STORED);
    assert_true(reliable_transmit_ack(r, &p));
    /* While it waits: the first one counts. */
    assert_int_equal(
        reliable_receive(r, 0, OPCODE_CONTROL_V1, bytes_of_text("other")),
        RELIABLE_REPEAT);
    assert_true(reliable_next(r, &opcode, &id, &payload));
    assert_int_equal(payload.size, sizeof id);
    assert_true(reliable_transmit_ack(r, &p));
    assert_int_equal(p.acks[0], 0);
    /* And after it was delivered. */
    reliable_consume(r);
    receive(r, 0, RELIABLE_REPEAT);
    assert_false(reliable_next(r, &opcode, &id, &payload));
    assert_true(reliable_transmit_ack(r, &p));
    assert_int_equal(p.ack_count, 1);
    assert_int_equal(p.acks[0], 0);
}

static void acks_ride_on_messages(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    receive(r, 0, RELIABLE_STORED);
    receive(r, 1, RELIABLE_STORED);
    send(r, 0, "x");
    assert_true(reliable_transmit(r, at(0), &p));
    assert_int_equal(p.ack_count, 2);
    assert_int_equal(p.acks[0], 1);
    assert_int_equal(p.acks[1], 0);
    assert_false(reliable_transmit_ack(r, &p));
}

static void earlier_acks_are_repeated_newest_first(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    for (uint32_t id = 0; id < 6; id++) {
        receive(r, id, RELIABLE_STORED);
        assert_true(reliable_transmit_ack(r, &p));
        assert_int_equal(p.opcode, OPCODE_ACK_V1);
        assert_int_equal(p.payload.size, 0);
        uint8_t expected = (uint8_t)(id < 3 ? id + 1 : CONTROL_ACKS_SENT);
        assert_int_equal(p.ack_count, expected);
        for (uint8_t i = 0; i < expected; i++)
            assert_int_equal(p.acks[i], id - i);
    }
}

static void more_acks_than_fit_need_another_packet(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    for (uint32_t id = 0; id < 7; id++)
        receive(r, id, RELIABLE_STORED);
    assert_true(reliable_transmit_ack(r, &p));
    assert_int_equal(p.ack_count, CONTROL_ACKS_SENT);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(p.acks[i], 6 - i);
    assert_true(reliable_transmit_ack(r, &p));
    assert_int_equal(p.ack_count, CONTROL_ACKS_SENT);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(p.acks[i], 2 - i);
    assert_int_equal(p.acks[3], 6); /* a repeat fills the rest */
    assert_false(reliable_transmit_ack(r, &p));
}

static void an_id_is_never_twice_in_a_list(void **state)
{
    struct reliable *r = started(state);
    struct control_packet p;
    uint32_t seed = 5;
    for (int round = 0; round < 2000; round++) {
        for (uint32_t n = next_random(&seed) % 12; n > 0; n--) {
            uint32_t id = r->next_receive_id + next_random(&seed) % 12;
            (void)reliable_receive(r, id > 6 ? id - 6 : 0, OPCODE_CONTROL_V1,
                                   bytes_of(NULL, 0));
        }
        reliable_consume(r);
        while (reliable_transmit_ack(r, &p)) {
            assert_in_range(p.ack_count, 1, CONTROL_ACKS_SENT);
            for (uint8_t i = 0; i < p.ack_count; i++)
                for (uint8_t j = 0; j < i; j++)
                    assert_int_not_equal(p.acks[i], p.acks[j]);
        }
    }
    assert_true(r->next_receive_id > 100);
}

/* Two ends and what lies between them. */

enum { MESSAGES = 300, FLIGHT_MAX = 256 };

struct flight {
    int64_t arrives; /* ms */
    bool to_b;
    struct control_packet packet;
    uint8_t payload[8];
};

struct line {
    struct reliable *a, *b;
    uint32_t seed;
    uint32_t loss, twice, slow; /* percent */
    struct flight flights[FLIGHT_MAX];
    size_t count;
    int64_t packets;
};

static void put(struct line *l, int64_t now, bool to_b,
                const struct control_packet *p)
{
    assert_true(p->ack_count <= CONTROL_ACKS_SENT);
    l->packets++;
    uint32_t copies = next_random(&l->seed) % 100 < l->twice ? 2 : 1;
    while (copies-- > 0) {
        if (next_random(&l->seed) % 100 < l->loss || l->count == FLIGHT_MAX)
            continue;
        struct flight *f = &l->flights[l->count++];
        bool slow = next_random(&l->seed) % 100 < l->slow;
        *f = (struct flight){.to_b = to_b, .packet = *p};
        f->arrives =
            now + 20 + (slow ? (int64_t)(next_random(&l->seed) % 3000) : 0);
        assert_true(p->payload.size <= sizeof f->payload);
        if (p->payload.size)
            memcpy(f->payload, p->payload.data, p->payload.size);
        f->packet.payload.data = f->payload;
    }
}

static void pump(struct line *l, struct reliable *r, int64_t now, bool to_b)
{
    struct control_packet p;
    while (reliable_transmit(r, at(now), &p))
        put(l, now, to_b, &p);
    while (reliable_transmit_ack(r, &p))
        put(l, now, to_b, &p);
}

static void deliver(struct line *l, int64_t now)
{
    for (size_t i = 0; i < l->count;) {
        if (l->flights[i].arrives > now) {
            i++;
            continue;
        }
        struct flight f = l->flights[i];
        l->flights[i] = l->flights[--l->count];
        struct reliable *to = f.to_b ? l->b : l->a;
        reliable_acked(to, f.packet.acks, f.packet.ack_count);
        if (f.packet.opcode != OPCODE_ACK_V1)
            (void)reliable_receive(to, f.packet.message_id, f.packet.opcode,
                                   bytes_of(f.payload, f.packet.payload.size));
    }
}

/* Each message says its number; what comes out must count up. */
static void feed_and_drain(struct reliable *r, int64_t now, uint32_t *fed,
                           uint32_t *drained)
{
    uint8_t opcode, text[8] = {0};
    uint32_t id;
    struct bytes payload;
    while (*fed < MESSAGES && reliable_can_send(r)) {
        store_u32(text, *fed);
        assert_true(reliable_send(r, at(now), OPCODE_CONTROL_V1,
                                  bytes_of(text, 4 + *fed % 5)));
        ++*fed;
    }
    while (reliable_next(r, &opcode, &id, &payload)) {
        store_u32(text, *drained);
        assert_int_equal(id, *drained);
        assert_bytes_equal(payload, bytes_of(text, 4 + *drained % 5));
        reliable_consume(r);
        ++*drained;
    }
}

static bool quiet(const struct line *l)
{
    return reliable_all_acked(l->a) && reliable_all_acked(l->b);
}

/* Milliseconds until all messages of both ends were delivered and acked. */
static int64_t run(struct line *l)
{
    uint32_t fed_a = 0, fed_b = 0, drained_a = 0, drained_b = 0;
    reliable_clear(l->a);
    reliable_init(l->a, duration_seconds(2));
    reliable_init(l->b, duration_seconds(2));
    for (int64_t now = 0; now < 10000 * 1000; now += 10) {
        deliver(l, now);
        feed_and_drain(l->a, now, &fed_a, &drained_a);
        feed_and_drain(l->b, now, &fed_b, &drained_b);
        pump(l, l->a, now, true);
        pump(l, l->b, now, false);
        if (drained_a == MESSAGES && drained_b == MESSAGES && quiet(l))
            return now;
    }
    fail_msg("not done: %u and %u of %u", drained_a, drained_b, MESSAGES);
    return 0;
}

static int64_t run_line(struct reliable *a, uint32_t seed, uint32_t loss,
                        uint32_t twice, uint32_t slow)
{
    struct line *l = calloc(1, sizeof *l);
    struct reliable *b = calloc(1, sizeof *b);
    assert_non_null(l);
    assert_non_null(b);
    *l = (struct line){.a = a,
                       .b = b,
                       .seed = seed,
                       .loss = loss,
                       .twice = twice,
                       .slow = slow};
    int64_t took = run(l);
    reliable_clear(b);
    free(b);
    free(l);
    return took;
}

static void a_good_line_delivers_a_window_each_round_trip(void **state)
{
    int64_t took = run_line(*state, 1, 0, 0, 0);
    int64_t rounds =
        (MESSAGES + RELIABLE_SEND_WINDOW - 1) / RELIABLE_SEND_WINDOW;
    assert_in_range(took, 0, rounds * 40 + 100);
}

static void bad_lines_deliver_everything_once_and_in_order(void **state)
{
    static const uint32_t lines[][3] = {
        /* loss, twice, slow: percent */
        {10, 0, 0},  {30, 0, 0},   {0, 50, 0},   {0, 0, 50},
        {0, 20, 90}, {20, 20, 20}, {50, 30, 30},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (uint32_t seed = 1; seed <= 5; seed++)
            (void)run_line(*state, seed, lines[i][0], lines[i][1], lines[i][2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_has_nothing_to_do),
        cmocka_unit_test(a_message_goes_out_with_its_bytes_and_id),
        cmocka_unit_test(repeats_come_after_2_4_8_seconds),
        cmocka_unit_test(the_send_window_counts_from_the_oldest),
        cmocka_unit_test(three_later_acks_repeat_at_once),
        cmocka_unit_test(a_repeat_counts_later_acks_anew),
        cmocka_unit_test(repeated_and_unknown_acks_count_for_nothing),
        cmocka_unit_test(an_earlier_ack_hurries_nothing),
        cmocka_unit_test(a_burst_begins_anew),
        cmocka_unit_test(too_large_a_message_is_refused),
        cmocka_unit_test(messages_come_in_order),
        cmocka_unit_test(the_receive_window_is_exactly_twelve),
        cmocka_unit_test(what_is_outside_is_not_acknowledged),
        cmocka_unit_test(a_repeat_is_acknowledged_and_not_stored),
        cmocka_unit_test(acks_ride_on_messages),
        cmocka_unit_test(earlier_acks_are_repeated_newest_first),
        cmocka_unit_test(more_acks_than_fit_need_another_packet),
        cmocka_unit_test(an_id_is_never_twice_in_a_list),
        cmocka_unit_test(a_good_line_delivers_a_window_each_round_trip),
        cmocka_unit_test(bad_lines_deliver_everything_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, allocate, release);
}
