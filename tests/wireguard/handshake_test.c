#include "gateway/wireguard/handshake.h"

#include "gateway/wireguard/cookie.h"
#include "tests/unit.h"
#include "tests/wireguard/known_handshake.h"

static struct known_handshake k;
static const uint8_t no_psk[WIRE_KEY_SIZE];

/* Both ends as they know each other. */
struct ends {
    struct identity us_i, us_r;
    struct handshake_peer peer_i, peer_r; /* of the initiator: the responder */
};

static struct ends ends_with(const uint8_t *psk)
{
    struct ends e;
    handshake_identity_init(&e.us_i, k.private_i);
    handshake_identity_init(&e.us_r, k.private_r);
    assert_memory_equal(e.us_i.public_key, k.public_i, 32);
    assert_memory_equal(e.us_r.public_key, k.public_r, 32);
    assert_true(handshake_peer_init(&e.peer_i, &e.us_i, k.public_r, psk));
    assert_true(handshake_peer_init(&e.peer_r, &e.us_r, k.public_i, psk));
    return e;
}

static void stamp(const uint8_t public_key[32], uint8_t *message, size_t size)
{
    struct cookie_holder holder;
    cookie_holder_init(&holder, public_key);
    cookie_holder_stamp(&holder, (struct instant){0}, message, size);
}

static void initiate(const struct ends *e, uint32_t index, struct handshake *h,
                     struct wire_initiation *m)
{
    assert_true(handshake_initiate(h, &e->us_i, &e->peer_i, k.ephemeral_i,
                                   index, k.timestamp, m));
}

static void respond(const struct ends *e, const struct wire_initiation *m,
                    uint32_t index, struct handshake *h,
                    struct wire_response *answer)
{
    uint8_t when[WIRE_TIMESTAMP_SIZE];
    assert_true(handshake_identify(h, &e->us_r, m));
    assert_memory_equal(h->remote_static, k.public_i, 32);
    assert_true(handshake_accept(h, &e->peer_r, m, when));
    assert_memory_equal(when, k.timestamp, sizeof when);
    assert_true(handshake_respond(h, &e->peer_r, k.ephemeral_r, index, answer));
}

static void the_known_handshake_as_initiator(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk);
    struct handshake h, done;
    struct wire_initiation m;
    struct wire_response answer;
    struct handshake_keys keys;
    uint8_t out[WIRE_INITIATION_SIZE];
    initiate(&e, KNOWN_INITIATOR_INDEX, &h, &m);
    assert_memory_equal(h.chaining_key, k.c[3], 32);
    assert_memory_equal(h.hash, k.h[3], 32);
    wire_write_initiation(out, &m);
    stamp(k.public_r, out, sizeof out);
    assert_memory_equal(out, k.initiation, sizeof out);

    assert_true(
        wire_read_response(bytes_of(k.response, sizeof k.response), &answer));
    assert_true(handshake_finish(&h, &e.us_i, &e.peer_i, &answer, &done));
    assert_memory_equal(done.chaining_key, k.c[7], 32);
    assert_memory_equal(done.hash, k.h[6], 32);
    assert_int_equal(done.remote_index, KNOWN_RESPONDER_INDEX);
    handshake_keys(&done, &keys);
    assert_memory_equal(keys.send, k.i_to_r, 32);
    assert_memory_equal(keys.receive, k.r_to_i, 32);
}

static void the_known_handshake_as_responder(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk);
    struct handshake h;
    struct wire_initiation m;
    struct wire_response answer;
    struct handshake_keys keys;
    uint8_t out[WIRE_RESPONSE_SIZE], when[WIRE_TIMESTAMP_SIZE];
    assert_true(
        wire_read_initiation(bytes_of(k.initiation, sizeof k.initiation), &m));
    assert_true(handshake_identify(&h, &e.us_r, &m));
    assert_memory_equal(h.chaining_key, k.c[2], 32);
    assert_memory_equal(h.hash, k.h[2], 32);
    assert_true(handshake_accept(&h, &e.peer_r, &m, when));
    assert_memory_equal(h.chaining_key, k.c[3], 32);
    assert_memory_equal(h.hash, k.h[3], 32);
    respond(&e, &m, KNOWN_RESPONDER_INDEX, &h, &answer);
    assert_memory_equal(h.chaining_key, k.c[7], 32);
    assert_memory_equal(h.hash, k.h[6], 32);
    wire_write_response(out, &answer);
    stamp(k.public_i, out, sizeof out);
    assert_memory_equal(out, k.response, sizeof out);
    handshake_keys(&h, &keys);
    assert_memory_equal(keys.send, k.r_to_i, 32);
    assert_memory_equal(keys.receive, k.i_to_r, 32);
}

static void the_known_handshake_without_a_preshared_key(void **state)
{
    (void)state;
    struct ends e = ends_with(no_psk);
    struct handshake i, r, done;
    struct wire_initiation m;
    struct wire_response answer;
    struct handshake_keys keys;
    uint8_t out[WIRE_RESPONSE_SIZE];
    initiate(&e, 1, &i, &m);
    respond(&e, &m, 2, &r, &answer);
    wire_write_response(out, &answer);
    stamp(k.public_i, out, sizeof out);
    assert_memory_equal(out, k.response_without_psk, sizeof out);
    assert_true(handshake_finish(&i, &e.us_i, &e.peer_i, &answer, &done));
    handshake_keys(&done, &keys);
    assert_memory_equal(keys.send, k.i_to_r_without_psk, 32);
}

/* The responder answers as if all were well. */
static void another_preshared_key_is_seen_by_the_initiator_alone(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk), other = ends_with(no_psk);
    struct handshake i, r, done;
    struct wire_initiation m;
    struct wire_response answer;
    initiate(&e, 1, &i, &m);
    respond(&other, &m, 2, &r, &answer);
    struct handshake before = i;
    assert_false(handshake_finish(&i, &e.us_i, &e.peer_i, &answer, &done));
    /* and goes on waiting for the right answer */
    assert_memory_equal(&before, &i, sizeof i);
    respond(&e, &m, 2, &r, &answer);
    assert_true(handshake_finish(&i, &e.us_i, &e.peer_i, &answer, &done));
}

static bool initiation_passes(const struct ends *e, const uint8_t *bytes)
{
    struct wire_initiation m;
    struct handshake h;
    uint8_t when[WIRE_TIMESTAMP_SIZE];
    assert_true(
        wire_read_initiation(bytes_of(bytes, WIRE_INITIATION_SIZE), &m));
    return handshake_identify(&h, &e->us_r, &m) &&
           !memcmp(h.remote_static, k.public_i, 32) &&
           handshake_accept(&h, &e->peer_r, &m, when);
}

/* The sender's index is in no hash: mac1 holds it. So is the highest bit of a
 * point ignored (RFC 7748 5), but not by the hash. */
static void every_flipped_bit_of_an_initiation_is_refused(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk);
    uint8_t copy[WIRE_INITIATION_SIZE];
    memcpy(copy, k.initiation, sizeof copy);
    assert_true(initiation_passes(&e, copy));
    size_t macs = WIRE_INITIATION_SIZE - 2 * WIRE_MAC_SIZE;
    for (size_t bit = 8 * 8; bit < 8 * macs; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(initiation_passes(&e, copy));
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void every_flipped_bit_of_a_response_is_refused(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk);
    struct handshake h, done;
    struct wire_initiation m;
    struct wire_response answer;
    uint8_t copy[WIRE_RESPONSE_SIZE];
    memcpy(copy, k.response, sizeof copy);
    initiate(&e, KNOWN_INITIATOR_INDEX, &h, &m);
    size_t macs = WIRE_RESPONSE_SIZE - 2 * WIRE_MAC_SIZE;
    for (size_t bit = 8 * 12; bit < 8 * macs; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(wire_read_response(bytes_of(copy, sizeof copy), &answer));
        assert_false(handshake_finish(&h, &e.us_i, &e.peer_i, &answer, &done));
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void points_of_small_order_end_the_handshake(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk);
    struct handshake h, done;
    struct handshake_peer peer;
    struct wire_initiation m;
    struct wire_response answer;
    static const struct handshake_peer none;
    for (uint8_t point = 0; point <= 1; point++) {
        uint8_t key[WIRE_KEY_SIZE] = {point};
        assert_false(handshake_peer_init(&peer, &e.us_i, key, k.psk));
        assert_memory_equal(&peer, &none, sizeof none);
        initiate(&e, 1, &h, &m);
        memcpy(m.ephemeral, key, sizeof key);
        assert_false(handshake_identify(&done, &e.us_r, &m));
        assert_true(wire_read_response(bytes_of(k.response, sizeof k.response),
                                       &answer));
        memcpy(answer.ephemeral, key, sizeof key);
        assert_false(handshake_finish(&h, &e.us_i, &e.peer_i, &answer, &done));
    }
}

static void keys_leave_nothing_behind(void **state)
{
    (void)state;
    struct ends e = ends_with(k.psk);
    static const struct handshake zero;
    struct handshake h;
    struct wire_initiation m;
    struct wire_response answer;
    struct handshake_keys keys;
    initiate(&e, 1, &h, &m);
    respond(&e, &m, 2, &h, &answer);
    handshake_keys(&h, &keys);
    assert_memory_equal(&h, &zero, sizeof h);
}

static int prepare(void **state)
{
    (void)state;
    known_handshake_read(&k);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_handshake_as_initiator),
        cmocka_unit_test(the_known_handshake_as_responder),
        cmocka_unit_test(the_known_handshake_without_a_preshared_key),
        cmocka_unit_test(another_preshared_key_is_seen_by_the_initiator_alone),
        cmocka_unit_test(every_flipped_bit_of_an_initiation_is_refused),
        cmocka_unit_test(every_flipped_bit_of_a_response_is_refused),
        cmocka_unit_test(points_of_small_order_end_the_handshake),
        cmocka_unit_test(keys_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
