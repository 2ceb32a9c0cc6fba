/*
 * Messages that may come from anybody: each is dropped with its reason, changes
 * nothing, and the session goes on.
 */
#include "gateway/wireguard/admission.h"
#include "gateway/wireguard/data/allowed_ips.h"
#include "gateway/wireguard/timestamp.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"
#include "tests/wireguard/device_pair.h"

static struct endpoint elsewhere(void)
{
    return (struct endpoint){craft_address("198.51.100.7"), 4444};
}

/* The state that a datagram which changes nothing leaves as it was. */
struct witness {
    struct handshake initiation;
    const struct keypair *previous, *current, *next;
    struct endpoint endpoint;
    uint64_t highest;
    uint8_t timestamp[WIRE_TIMESTAMP_SIZE];
    struct instant heard;
};

static struct witness look(const struct device_pair *p, unsigned end)
{
    const struct peer *peer = device_pair_peer(p, end);
    struct witness w;
    memset(&w, 0, sizeof w); /* it is compared as bytes */
    w.initiation = peer->initiation;
    w.previous = peer->previous;
    w.current = peer->current;
    w.next = peer->next;
    w.endpoint = peer->endpoint;
    w.highest = peer->current ? peer->current->seen.highest : 0;
    memcpy(w.timestamp, peer->timestamp, sizeof w.timestamp);
    w.heard = peer->heard;
    return w;
}

/* It arrives from elsewhere; there is no answer, and no trace. */
static void assert_ignored(struct device_pair *p, unsigned to,
                           struct bytes bytes, enum drop expected)
{
    struct endpoint from = elsewhere();
    struct witness before = look(p, to);
    unsigned said = p->log_count;
    uint64_t counted = device_drops(p->end[to].device)->count[expected];
    enum drop drop = device_pair_arrive(p, to, &from, bytes);
    if (drop != expected)
        fail_msg("%s, and not %s", drop_name(drop), drop_name(expected));
    assert_int_equal(device_drops(p->end[to].device)->count[expected],
                     counted + 1);
    device_pair_settle(p);
    assert_int_equal(p->log_count, said);
    struct witness after = look(p, to);
    assert_memory_equal(&before, &after, sizeof before);
}

static void assert_it_goes_on(struct device_pair *p)
{
    for (unsigned end = PAIR_A; end <= PAIR_B; end++) {
        unsigned before = p->end[!end].received;
        assert_int_equal(device_pair_send(p, end, 100), DROP_NONE);
        assert_int_equal(p->end[!end].received, before + 1);
    }
}

static struct bytes last_message(const struct device_pair *p, unsigned from)
{
    const uint8_t *m = p->last_message[from];
    return bytes_of(m, m[0] == WIRE_INITIATION ? WIRE_INITIATION_SIZE
                                               : WIRE_RESPONSE_SIZE);
}

static void stamp(const struct device_pair *p, unsigned to, uint8_t *message,
                  size_t size)
{
    struct cookie_holder holder;
    cookie_holder_init(&holder, device_public_key(p->end[to].device));
    cookie_holder_stamp(&holder, p->now, message, size);
}

static void what_is_no_message(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint8_t bytes[65535] = {0};
    for (size_t size = 0; size < 200; size++)
        assert_ignored(p, PAIR_B, bytes_of(bytes, size), DROP_OPCODE);
    for (unsigned value = 5; value < 256; value++) {
        bytes[0] = (uint8_t)value;
        assert_ignored(p, PAIR_B, bytes_of(bytes, 148), DROP_OPCODE);
    }
    for (unsigned at = 1; at < 4; at++) {
        memset(bytes, 0, 4);
        bytes[0] = WIRE_DATA;
        bytes[at] = 7; /* the reserved bytes that some clients send */
        assert_ignored(p, PAIR_B, bytes_of(bytes, 148), DROP_OPCODE);
    }
    memset(bytes, 0, 4);
    bytes[0] = WIRE_DATA;
    for (size_t size = 4; size < 32; size++)
        assert_ignored(p, PAIR_B, bytes_of(bytes, size), DROP_DATA_MALFORMED);
    assert_ignored(p, PAIR_B, bytes_of(bytes, 65535), DROP_DATA_NO_KEY);
    for (uint8_t type = WIRE_INITIATION; type <= WIRE_COOKIE_REPLY; type++) {
        bytes[0] = type;
        for (size_t size = 4; size < 160; size++)
            if (size != 148 && size != 92 && size != 64)
                assert_ignored(p, PAIR_B, bytes_of(bytes, size),
                               DROP_CONTROL_MALFORMED);
    }
    assert_it_goes_on(p);
    device_pair_free(p);
}

static void initiations_again_and_older_ones(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint8_t old[WIRE_INITIATION_SIZE];
    memcpy(old, p->last_message[PAIR_A], sizeof old);
    device_pair_wait(p, 6000);
    device_connect(p->end[PAIR_A].device, 0, p->now, false);
    device_pair_settle(p);
    device_pair_wait(p, 1000);
    assert_ignored(p, PAIR_B, last_message(p, PAIR_A), DROP_CONTROL_REPLAY);
    assert_ignored(p, PAIR_B, bytes_of(old, sizeof old), DROP_CONTROL_REPLAY);
    assert_it_goes_on(p);

    /* the same stamp with a new ephemeral */
    p->end[PAIR_A].latest_stamp -= 1 << 24;
    p->wall -= 3600 * INT64_C(1000000000);
    device_pair_wait(p, 6000);
    struct device_send send;
    device_connect(p->end[PAIR_A].device, 0, p->now, false);
    assert_true(device_poll(p->end[PAIR_A].device, p->now, &send));
    assert_ignored(p, PAIR_B, send.bytes, DROP_CONTROL_REPLAY);
    device_pair_free(p);
}

static void a_clock_set_back_locks_nobody_out(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    p->wall -= 3600 * INT64_C(1000000000);
    device_pair_wait(p, 6000);
    device_connect(p->end[PAIR_A].device, 0, p->now, false);
    device_pair_settle(p);
    assert_int_equal(device_pair_peer(p, PAIR_A)->handshakes, 2);
    device_pair_free(p);
}

static void initiations_within_20_ms(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    struct device_send send;
    device_connect(p->end[PAIR_A].device, 0, p->now, true);
    assert_true(device_poll(p->end[PAIR_A].device, p->now, &send));
    p->now.us += 19999;
    assert_ignored(p, PAIR_B, send.bytes, DROP_HANDSHAKE_RATE);
    p->now.us += 1;
    struct endpoint from = p->end[PAIR_A].place;
    assert_int_equal(device_pair_arrive(p, PAIR_B, &from, send.bytes),
                     DROP_NONE);
    device_pair_free(p);
}

static void tampered_initiations(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    device_pair_wait(p, 6000);
    struct device_send send;
    uint8_t m[WIRE_INITIATION_SIZE], good[WIRE_INITIATION_SIZE];
    device_connect(p->end[PAIR_A].device, 0, p->now, false);
    assert_true(device_poll(p->end[PAIR_A].device, p->now, &send));
    memcpy(good, send.bytes.data, sizeof good);
    for (size_t byte = 4; byte < sizeof good - 16; byte++) {
        memcpy(m, good, sizeof m);
        m[byte] ^= 1;
        assert_ignored(p, PAIR_B, bytes_of(m, sizeof m), DROP_CONTROL_AUTH);
        if (byte < 8 || byte >= sizeof good - 32)
            continue;
        stamp(p, PAIR_B, m, sizeof m); /* with the right mac1, too */
        assert_ignored(p, PAIR_B, bytes_of(m, sizeof m), DROP_CONTROL_AUTH);
    }
    /* junk in mac2 is nobody's matter without load */
    memcpy(m, good, sizeof m);
    m[sizeof m - 1] ^= 1;
    struct endpoint from = p->end[PAIR_A].place;
    assert_int_equal(
        device_pair_arrive(p, PAIR_B, &from, bytes_of(m, sizeof m)), DROP_NONE);
    device_pair_free(p);
}

static void a_stranger_and_points_of_small_order(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    static const uint8_t private_key[WIRE_KEY_SIZE] = {9}, psk[WIRE_KEY_SIZE],
                         ephemeral[WIRE_KEY_SIZE] = {8};
    static const uint8_t timestamp[WIRE_TIMESTAMP_SIZE] = {0xff};
    struct identity stranger;
    struct handshake_peer b;
    struct handshake h;
    struct wire_initiation m;
    uint8_t bytes[WIRE_INITIATION_SIZE];
    handshake_identity_init(&stranger, private_key);
    assert_true(handshake_peer_init(
        &b, &stranger, device_public_key(p->end[PAIR_B].device), psk));
    assert_true(
        handshake_initiate(&h, &stranger, &b, ephemeral, 5, timestamp, &m));
    wire_write_initiation(bytes, &m);
    stamp(p, PAIR_B, bytes, sizeof bytes);
    assert_ignored(p, PAIR_B, bytes_of(bytes, sizeof bytes),
                   DROP_HANDSHAKE_STRANGER);
    for (uint8_t point = 0; point < 2; point++) {
        memset(m.ephemeral, 0, sizeof m.ephemeral);
        m.ephemeral[0] = point;
        wire_write_initiation(bytes, &m);
        stamp(p, PAIR_B, bytes, sizeof bytes);
        assert_ignored(p, PAIR_B, bytes_of(bytes, sizeof bytes),
                       DROP_CONTROL_AUTH);
    }
    assert_it_goes_on(p);
    device_pair_free(p);
}

static bool only_initiations_pass(struct device_pair *p, unsigned from,
                                  struct bytes bytes)
{
    (void)p, (void)from;
    return wire_type_of(bytes) == WIRE_INITIATION;
}

static void responses_that_answer_nothing(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    p->pass = only_initiations_pass;
    device_pair_send(p, PAIR_A, 100);
    uint8_t good[WIRE_RESPONSE_SIZE], m[WIRE_RESPONSE_SIZE];
    memcpy(good, p->last_message[PAIR_B], sizeof good);

    memcpy(m, good, sizeof m);
    m[60] ^= 1;
    assert_ignored(p, PAIR_A, bytes_of(m, sizeof m), DROP_CONTROL_AUTH);
    memcpy(m, good, sizeof m);
    m[8] ^= 1; /* an index of nobody */
    stamp(p, PAIR_A, m, sizeof m);
    assert_ignored(p, PAIR_A, bytes_of(m, sizeof m), DROP_CONTROL_SESSION);
    memcpy(m, good, sizeof m);
    m[44] ^= 1; /* the tag */
    stamp(p, PAIR_A, m, sizeof m);
    assert_ignored(p, PAIR_A, bytes_of(m, sizeof m), DROP_HANDSHAKE_PRESHARED);
    memcpy(m, good, sizeof m);
    memset(m + 12, 0, WIRE_KEY_SIZE); /* a point of small order */
    stamp(p, PAIR_A, m, sizeof m);
    assert_ignored(p, PAIR_A, bytes_of(m, sizeof m), DROP_HANDSHAKE_PRESHARED);

    /* data under an index whose handshake is not finished */
    uint8_t data[48] = {WIRE_DATA};
    memcpy(data + 4, good + 8, 4);
    assert_ignored(p, PAIR_A, bytes_of(data, sizeof data), DROP_DATA_NO_KEY);

    p->pass = NULL;
    struct endpoint from = p->end[PAIR_B].place;
    assert_int_equal(
        device_pair_arrive(p, PAIR_A, &from, bytes_of(good, sizeof good)),
        DROP_NONE);
    device_pair_settle(p);
    assert_ignored(p, PAIR_A, bytes_of(good, sizeof good),
                   DROP_CONTROL_SESSION);
    assert_it_goes_on(p);
    device_pair_free(p);
}

static void a_response_to_an_initiation_that_was_replaced(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    p->pass = only_initiations_pass;
    device_pair_send(p, PAIR_A, 100);
    uint8_t old[WIRE_RESPONSE_SIZE];
    memcpy(old, p->last_message[PAIR_B], sizeof old);
    device_pair_wait(p, 5400);
    assert_int_equal(device_pair_count(p, 0, PAIR_A, WIRE_INITIATION), 2);
    assert_ignored(p, PAIR_A, bytes_of(old, sizeof old), DROP_CONTROL_SESSION);
    device_pair_free(p);
}

static void the_preshared_key_is_told_apart(void **state)
{
    (void)state;
    static const uint8_t psk[WIRE_KEY_SIZE] = {1};
    struct device_pair *p = device_pair_new(psk, NULL, 0);
    device_pair_send(p, PAIR_A, 100);
    assert_true(device_pair_peer(p, PAIR_A)->preshared_differs);
    assert_int_equal(p->end[PAIR_B].received, 0);
    device_pair_wait(p, 60000);
    assert_true(device_pair_count(p, 0, PAIR_A, WIRE_INITIATION) > 10);
    device_pair_free(p);

    p = device_pair_new(psk, psk, 0);
    device_pair_connect(p);
    assert_false(device_pair_peer(p, PAIR_A)->preshared_differs);
    device_pair_free(p);
}

static void copied_and_forged_data(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint8_t m[2048];
    uint16_t size = p->last_data_size[PAIR_A];
    memcpy(m, p->last_data[PAIR_A], size);
    assert_ignored(p, PAIR_B, bytes_of(m, size), DROP_DATA_REPLAY);
    for (size_t byte = 8; byte < size; byte++) {
        m[byte] ^= 1;
        assert_ignored(p, PAIR_B, bytes_of(m, size), DROP_DATA_AUTH);
        m[byte] ^= 1;
    }
    m[15] = 0x0f; /* a counter far ahead must not move the window */
    assert_ignored(p, PAIR_B, bytes_of(m, size), DROP_DATA_AUTH);
    memset(m + 8, 0xff, 8);
    assert_ignored(p, PAIR_B, bytes_of(m, size), DROP_DATA_REPLAY);
    m[4] ^= 1;
    assert_ignored(p, PAIR_B, bytes_of(m, size), DROP_DATA_NO_KEY);
    assert_it_goes_on(p);
    device_pair_free(p);
}

/* --- Load ---------------------------------------------------------------- */

/* An initiation that costs a multiplication and is nobody's. */
static void flood(struct device_pair *p, unsigned count)
{
    uint8_t m[WIRE_INITIATION_SIZE] = {WIRE_INITIATION};
    struct device_send send;
    for (unsigned i = 0; i < count; i++) {
        struct endpoint from = elsewhere();
        from.address.bytes[3] = (uint8_t)i;
        from.port = (uint16_t)(1024 + i);
        store_u32(m + 8, i + 2);
        stamp(p, PAIR_B, m, sizeof m);
        (void)device_pair_arrive(p, PAIR_B, &from, bytes_of(m, sizeof m));
        /* no answer is longer than what it answers */
        while (device_poll(p->end[PAIR_B].device, p->now, &send)) {
            assert_int_equal(send.bytes.size, WIRE_COOKIE_REPLY_SIZE);
            assert_int_equal(send.tos, 0);
            assert_true(endpoint_equal(&send.to, &from));
        }
    }
}

static void under_load_an_address_has_to_be_shown(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    const struct drop_counters *b = device_drops(p->end[PAIR_B].device);
    flood(p, 10000);
    assert_int_equal(b->count[DROP_CONTROL_AUTH], ADMISSION_EASE_BURST);
    assert_int_equal(b->count[DROP_HANDSHAKE_COOKIE],
                     10000 - ADMISSION_EASE_BURST);

    /* one that is known gets a cookie, and does not come again at once */
    assert_int_equal(device_pair_send(p, PAIR_A, 100), DROP_SEAL_HELD);
    assert_true(device_pair_peer(p, PAIR_A)->busy);
    assert_int_equal(p->end[PAIR_B].received, 0);
    assert_int_equal(device_pair_count(p, 0, PAIR_A, WIRE_INITIATION), 1);
    assert_int_equal(device_pair_count(p, 0, PAIR_B, WIRE_COOKIE_REPLY), 1);
    p->now.us += 4900000;
    flood(p, 3000);
    device_pair_wait(p, 600);
    assert_int_equal(p->end[PAIR_B].received, 1);
    assert_false(device_pair_peer(p, PAIR_A)->busy);
    assert_it_goes_on(p);

    /* a second after the flood nobody is asked */
    device_pair_wait(p, 2000);
    uint64_t asked = b->count[DROP_HANDSHAKE_COOKIE];
    flood(p, 10);
    assert_int_equal(b->count[DROP_HANDSHAKE_COOKIE], asked);
    device_pair_free(p);
}

/* A burst of strangers arrives before anything is sent. */
static void strangers_do_not_fill_the_queue(void **state)
{
    (void)state;
    enum { STRANGERS = ADMISSION_EASE_BURST + 500 };
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    struct device *b = p->end[PAIR_B].device;
    uint8_t m[WIRE_INITIATION_SIZE] = {WIRE_INITIATION};
    struct endpoint from = elsewhere();
    stamp(p, PAIR_B, m, sizeof m);
    for (unsigned i = 0; i < STRANGERS; i++)
        (void)device_pair_arrive(p, PAIR_B, &from, bytes_of(m, sizeof m));
    device_connect(b, 0, p->now, false);

    struct device_send send;
    uint64_t replies = 0, initiations = 0;
    while (device_poll(b, p->now, &send))
        if (send.peer == ALLOWED_IPS_NOBODY)
            replies++;
        else
            initiations++;
    assert_int_equal(initiations, 1);
    assert_true(replies > 0);
    const struct drop_counters *drops = device_drops(b);
    assert_int_equal(drops->count[DROP_HANDSHAKE_COOKIE],
                     STRANGERS - ADMISSION_EASE_BURST);
    assert_int_equal(drops->count[DROP_HANDSHAKE_QUEUE],
                     STRANGERS - ADMISSION_EASE_BURST - replies);
    device_pair_free(p);
}

static void a_proven_address_has_its_share(void **state)
{
    (void)state;
    static struct admission a;
    static const uint8_t random[16] = {1};
    struct instant now = {1000000000};
    struct address one = craft_address("2001:db8::1"),
                   neighbour = craft_address("2001:db8::2"),
                   other = craft_address("2001:db8:0:1::1");
    admission_init(&a, random);
    for (int i = 0; i < ADMISSION_SOURCE_BURST; i++)
        assert_true(admission_take(&a, now, i % 2 ? &one : &neighbour));
    assert_false(admission_take(&a, now, &one));
    assert_true(admission_take(&a, now, &other));
    now.us += 50000;
    assert_true(admission_take(&a, now, &one));
    assert_false(admission_take(&a, now, &one));
}

static void cookie_replies_that_answer_nothing(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    uint8_t m[WIRE_COOKIE_REPLY_SIZE] = {WIRE_COOKIE_REPLY};
    assert_ignored(p, PAIR_A, bytes_of(m, sizeof m), DROP_CONTROL_SESSION);
    memcpy(m + 4, p->last_message[PAIR_B] + 8, 4); /* an index of ours */
    for (int i = 0; i < 1000; i++)
        assert_ignored(p, PAIR_A, bytes_of(m, sizeof m), DROP_CONTROL_AUTH);
    assert_false(device_pair_peer(p, PAIR_A)->busy);
    assert_it_goes_on(p);
    device_pair_free(p);
}

/* --- Where the peer is --------------------------------------------------- */

static void only_what_is_authentic_moves_an_endpoint(void **state)
{
    (void)state;
    struct device_pair *p = device_pair_new(NULL, NULL, 0);
    device_pair_connect(p);
    struct endpoint moved = elsewhere();
    uint8_t m[2048];
    device_pair_send(p, PAIR_A, 100);
    memcpy(m, p->last_data[PAIR_A], p->last_data_size[PAIR_A]);
    p->end[PAIR_A].place = moved;
    device_pair_send(p, PAIR_A, 100);
    assert_true(endpoint_equal(&device_pair_peer(p, PAIR_B)->endpoint, &moved));
    /* and a packet of before, again, does not move it back */
    struct endpoint before = {craft_address("192.0.2.1"), 51820};
    assert_int_equal(device_pair_arrive(p, PAIR_B, &before,
                                        bytes_of(m, p->last_data_size[PAIR_A])),
                     DROP_DATA_REPLAY);
    assert_true(endpoint_equal(&device_pair_peer(p, PAIR_B)->endpoint, &moved));
    device_pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_message),
        cmocka_unit_test(initiations_again_and_older_ones),
        cmocka_unit_test(a_clock_set_back_locks_nobody_out),
        cmocka_unit_test(initiations_within_20_ms),
        cmocka_unit_test(tampered_initiations),
        cmocka_unit_test(a_stranger_and_points_of_small_order),
        cmocka_unit_test(responses_that_answer_nothing),
        cmocka_unit_test(a_response_to_an_initiation_that_was_replaced),
        cmocka_unit_test(the_preshared_key_is_told_apart),
        cmocka_unit_test(copied_and_forged_data),
        cmocka_unit_test(under_load_an_address_has_to_be_shown),
        cmocka_unit_test(strangers_do_not_fill_the_queue),
        cmocka_unit_test(a_proven_address_has_its_share),
        cmocka_unit_test(cookie_replies_that_answer_nothing),
        cmocka_unit_test(only_what_is_authentic_moves_an_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
