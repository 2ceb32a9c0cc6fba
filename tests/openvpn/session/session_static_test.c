/* A session out of a static key, without TLS. */
#include "gateway/openvpn/session/session_static.h"

#include <stdlib.h>

#include "gateway/openvpn/data/data_cbc.h"
#include "tests/crypto/vectors.h"
#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

enum { BEGAN = 2000000000 };

static const struct instant start = {1000000};

static void next_bytes(void *context, uint8_t *out, size_t size)
{
    random_bytes(context, out, size);
}

static uint32_t random_state = 1;

static struct session_static_options options(const struct static_key *key,
                                             int direction, const char *cipher,
                                             const char *digest)
{
    return (struct session_static_options){
        .env = {&random_state, next_bytes, NULL},
        .key = key,
        .direction = direction,
        .cipher = cipher,
        .digest = digest,
        .began = BEGAN,
        .replay_packets = 64,
        .replay_seconds = 15,
    };
}

static struct static_key known_key(void)
{
    struct key_material material;
    struct static_key key;
    channel_pair_material(&material);
    memcpy(key.bytes, material.bytes, sizeof key.bytes);
    return key;
}

static struct session *open_session(const struct session_static_options *o)
{
    struct session *s = malloc(sizeof *s);
    assert_non_null(s);
    assert_true(session_static_init(s, o, start));
    return s;
}

static void close_session(struct session *s)
{
    session_clear(s);
    free(s);
}

/* The packet's datagram, an exact copy, which the caller frees. */
static uint8_t *sealed(struct session *s, struct bytes inner, uint16_t *size)
{
    struct burst burst;
    struct burst_layout layout = session_data_layout(s);
    assert_true(burst_init(&burst, 4096));
    struct datagram *d = burst_reserve(&burst, &layout, (uint32_t)inner.size);
    assert_non_null(d);
    memcpy(d->data + d->inner_offset, inner.data, inner.size);
    assert_true(session_data_seal(s, start, &burst));
    assert_int_equal(d->drop, DROP_NONE);
    *size = d->size;
    uint8_t *copy = exact_copy(d->data, d->size);
    burst_clear(&burst);
    return copy;
}

/* The fate of an exact copy of it; `inner`, if given, must come out. */
static enum drop opened(struct session *s, const uint8_t *data, size_t size,
                        const struct bytes *inner)
{
    struct burst burst = {0};
    uint8_t *copy = exact_copy(data, size);
    assert_true(burst_add_view(&burst, copy, (uint16_t)size));
    session_data_open(s, start, &burst, 0, 1);
    const struct datagram *d = &burst.datagrams[0];
    if (inner && d->drop == DROP_NONE)
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           *inner);
    if (d->drop != DROP_NONE)
        assert_int_equal(d->inner_size, 0);
    free(copy);
    return (enum drop)d->drop;
}

static void vector_iv(void *context, uint8_t *out, size_t size)
{
    assert_int_equal(size, CBC_HMAC_BLOCK_SIZE);
    memcpy(out, context, size);
}

/* A vector: who sent it, who gets it, what it is. */
struct known {
    struct static_key key;
    struct session_static_options from, to;
    uint32_t number;
    uint8_t iv[16];
    struct bytes plain, packet;
    uint8_t memory[2][256];
};

static int number_of(const struct vectors *v, const char *name)
{
    return atoi(vectors_text(v, name));
}

static void read_known(const struct vectors *v, struct known *k)
{
    int direction = number_of(v, "direction");
    k->key = known_key();
    k->from = options(&k->key, direction, vectors_text(v, "cipher"),
                      vectors_text(v, "digest"));
    k->from.began = (uint32_t)number_of(v, "time");
    k->to = k->from;
    k->to.direction = direction < 0 ? direction : 1 - direction;
    k->number = (uint32_t)number_of(v, "number");
    assert_int_equal(vectors_bytes(v, "iv", k->iv, sizeof k->iv), 16);
    k->plain = bytes_of(k->memory[0], vectors_bytes(v, "plain", k->memory[0],
                                                    sizeof k->memory[0]));
    k->packet = bytes_of(k->memory[1], vectors_bytes(v, "packet", k->memory[1],
                                                     sizeof k->memory[1]));
}

/* The same packet comes out of here, byte for byte. */
static void check_sealing(struct known *k)
{
    uint16_t size;
    k->from.env.random = vector_iv;
    k->from.env.context = k->iv;
    struct session *s = open_session(&k->from);
    ((struct data_cbc *)s->primary->data)->last_id = k->number - 1;
    uint8_t *ours = sealed(s, k->plain, &size);
    assert_bytes_equal(bytes_of(ours, size), k->packet);
    free(ours);
    close_session(s);
}

static void check_opening(const struct known *k)
{
    struct session *s = open_session(&k->to);
    bool is_ping = keepalive_is_ping(k->plain);
    assert_false(session_static_heard(s));
    for (size_t n = 0; n < k->packet.size; n++)
        assert_int_not_equal(opened(s, k->packet.data, n, NULL), DROP_NONE);
    assert_false(session_static_heard(s));
    assert_int_equal(
        opened(s, k->packet.data, k->packet.size, is_ping ? NULL : &k->plain),
        DROP_NONE);
    assert_true(session_static_heard(s));
    close_session(s);
}

static void openvpns_packets_are_made_and_read(void **state)
{
    (void)state;
    struct vectors v;
    struct known k;
    int count = 0;
    vectors_open(&v, "tests/vectors/data_static.txt");
    while (vectors_next(&v)) {
        read_known(&v, &k);
        check_sealing(&k);
        check_opening(&k);
        count++;
    }
    vectors_close(&v);
    assert_int_equal(count, 8);
}

static void every_cipher_and_digest_goes_both_ways(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"AES-128-CBC", "AES-192-CBC",
                                          "AES-256-CBC"};
    static const char *const digests[] = {"MD5",    "SHA1",   "SHA224",
                                          "SHA256", "SHA384", "SHA512"};
    struct static_key key = known_key();
    struct bytes inner = bytes_of_text("Every packet begins with 4 or 6");
    for (size_t i = 0; i < 3 * 6 * 2; i++) {
        uint16_t size;
        int direction = i % 2 ? 0 : -1;
        struct session_static_options o =
            options(&key, direction, ciphers[i / 2 % 3], digests[i / 6]);
        struct session *a = open_session(&o);
        o.direction = direction < 0 ? -1 : 1;
        struct session *b = open_session(&o);
        uint8_t *data = sealed(a, inner, &size);
        assert_int_equal(opened(b, data, size, &inner), DROP_NONE);
        free(data);
        data = sealed(b, inner, &size);
        assert_int_equal(opened(a, data, size, &inner), DROP_NONE);
        free(data);
        close_session(a);
        close_session(b);
    }
}

/* Without a direction one would even take one's own. */
static void the_directions_are_kept_apart(void **state)
{
    (void)state;
    struct static_key key = known_key();
    struct bytes inner = bytes_of_text("packet");
    uint16_t size;
    struct session_static_options o = options(&key, 0, "AES-256-CBC", "SHA256");
    struct session *a = open_session(&o);
    uint8_t *data = sealed(a, inner, &size);
    assert_int_equal(opened(a, data, size, NULL), DROP_DATA_AUTH);
    key.bytes[STATIC_KEY_SLICE] ^= 1;
    o.direction = 1;
    struct session *other = open_session(&o);
    assert_int_equal(opened(other, data, size, NULL), DROP_DATA_AUTH);
    free(data);
    close_session(a);
    close_session(other);
}

static void every_changed_bit_is_noticed(void **state)
{
    (void)state;
    struct static_key key = known_key();
    struct session_static_options o = options(&key, -1, "AES-128-CBC", "SHA1");
    struct session *s = open_session(&o);
    uint16_t size;
    uint8_t *data = sealed(s, bytes_of_text("packet"), &size);
    for (size_t bit = 0; bit < 8u * size; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(opened(s, data, size, NULL), DROP_DATA_AUTH);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(opened(s, data, size, NULL), DROP_NONE);
    free(data);
    close_session(s);
}

static void a_packet_is_taken_once_and_a_count_never_goes_back(void **state)
{
    (void)state;
    struct static_key key = known_key();
    struct session_static_options o = options(&key, -1, "AES-256-CBC", "SHA1");
    struct bytes inner = bytes_of_text("packet");
    struct session *receiver = open_session(&o), *sender[3];
    uint8_t *data[3];
    uint16_t size[3];
    for (uint32_t i = 0; i < 3; i++) {
        o.began = BEGAN + i;
        sender[i] = open_session(&o);
        data[i] = sealed(sender[i], inner, &size[i]);
    }
    assert_int_equal(opened(receiver, data[1], size[1], &inner), DROP_NONE);
    assert_int_equal(opened(receiver, data[1], size[1], NULL),
                     DROP_DATA_REPLAY);
    assert_int_equal(opened(receiver, data[0], size[0], NULL),
                     DROP_DATA_REPLAY);
    assert_int_equal(opened(receiver, data[2], size[2], &inner), DROP_NONE);
    assert_int_equal(opened(receiver, data[1], size[1], NULL),
                     DROP_DATA_REPLAY);
    for (size_t i = 0; i < 3; i++) {
        free(data[i]);
        close_session(sender[i]);
    }
    close_session(receiver);
}

static void where_numbers_end_the_session_does(void **state)
{
    (void)state;
    struct static_key key = known_key();
    struct session_static_options o = options(&key, -1, "AES-256-CBC", "SHA1");
    struct session *s = open_session(&o);
    struct session_event event;
    uint16_t size;
    free(sealed(s, bytes_of_text("packet"), &size));
    assert_false(session_next(s, start, &event));
    ((struct data_cbc *)s->primary->data)->last_id = 0xff000000;
    free(sealed(s, bytes_of_text("packet"), &size));
    assert_true(session_next(s, start, &event));
    assert_int_equal(event.type, SESSION_FAILED);
    assert_non_null(strstr(event.why, "used up"));
    close_session(s);
}

static void there_is_no_control_channel(void **state)
{
    (void)state;
    static const uint8_t soft_reset[] = {0x18, 1, 2, 3, 4, 5, 6,
                                         7,    8, 0, 0, 0, 0, 0};
    struct static_key key = known_key();
    struct session_static_options o = options(&key, -1, "AES-256-CBC", "SHA1");
    struct session *s = open_session(&o);
    struct session_event event;
    struct bytes datagram;
    assert_int_equal(
        session_receive(s, start, bytes_of(soft_reset, sizeof soft_reset)),
        DROP_CONTROL_SESSION);
    session_renegotiate(s, start);
    session_expire(s, instant_after(start, duration_seconds(100000)));
    assert_false(session_send(s, start, "EXIT"));
    assert_false(session_transmit(s, start, &datagram));
    assert_false(session_next(s, start, &event));
    assert_true(instant_is_never(session_deadline(s)));
    close_session(s);
}

static void a_goodbye_is_understood(void **state)
{
    (void)state;
    struct static_key key = known_key();
    struct session_static_options o = options(&key, 0, "AES-256-CBC", "SHA1");
    struct session_event event;
    struct session *a = open_session(&o);
    o.direction = 1;
    struct session *b = open_session(&o);
    struct bytes word = session_data_say(a, start, SESSION_DATA_REQUEST);
    assert_int_equal(opened(b, word.data, word.size, NULL), DROP_NONE);
    assert_false(session_next(b, start, &event));
    word = session_data_say(a, start, SESSION_DATA_GOODBYE);
    assert_int_equal(opened(b, word.data, word.size, NULL), DROP_NONE);
    assert_true(session_next(b, start, &event));
    assert_int_equal(event.type, SESSION_PEER_EXIT);
    close_session(a);
    close_session(b);
}

static void other_ciphers_make_no_session(void **state)
{
    (void)state;
    struct static_key key = known_key();
    struct session *s = malloc(sizeof *s);
    assert_non_null(s);
    static const char *const bad[][2] = {{"AES-256-GCM", "SHA1"},
                                         {"CHACHA20-POLY1305", "SHA1"},
                                         {"BF-CBC", "SHA1"},
                                         {"AES-256-CBC", "NONE"},
                                         {"AES-256-CBC", "unknown"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct session_static_options o =
            options(&key, -1, bad[i][0], bad[i][1]);
        assert_false(session_static_init(s, &o, start));
        session_clear(s);
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openvpns_packets_are_made_and_read),
        cmocka_unit_test(every_cipher_and_digest_goes_both_ways),
        cmocka_unit_test(the_directions_are_kept_apart),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(a_packet_is_taken_once_and_a_count_never_goes_back),
        cmocka_unit_test(where_numbers_end_the_session_does),
        cmocka_unit_test(there_is_no_control_channel),
        cmocka_unit_test(a_goodbye_is_understood),
        cmocka_unit_test(other_ciphers_make_no_session),
    };
    return cmocka_run_group_tests_name("session_static", tests, NULL, NULL);
}
