#include "gateway/openvpn/control/control_wrap.h"

#include "tests/unit.h"
#include "tests/vectors/openvpn_control.h"
#include "tests/vectors/openvpn_tls_crypt.h"

enum { TIME = 0x61d3bf6c };

static const struct instant now = {1000000};

static struct static_key openvpns_key(void)
{
    struct static_key key;
    assert_true(static_key_parse(bytes_of_text(vector_static_key), &key));
    return key;
}

/* Both ends of each way of wrapping. */
enum way {
    NONE,
    AUTH_SHA1,
    AUTH_SHA256,
    AUTH_SHA512,
    AUTH_BOTH_ALIKE,
    CRYPT,
    WAYS
};

static struct control_wrap wrap_of(enum way way, enum openvpn_role role,
                                   uint32_t time)
{
    static const char *const digests[WAYS] = {
        [AUTH_SHA1] = "SHA1",
        [AUTH_SHA256] = "SHA256",
        [AUTH_SHA512] = "SHA512",
        [AUTH_BOTH_ALIKE] = "SHA1",
    };
    struct static_key key = openvpns_key();
    struct control_wrap w;
    int direction = way == AUTH_BOTH_ALIKE ? -1 : role == OPENVPN_CLIENT;
    if (way == NONE)
        assert_true(control_wrap_init_none(&w));
    else if (way == CRYPT)
        assert_true(control_wrap_init_tls_crypt(&w, &key, role, time));
    else
        assert_true(control_wrap_init_tls_auth(&w, &key, direction,
                                               digests[way], time));
    return w;
}

static struct control_packet sample(uint8_t opcode)
{
    static const uint8_t payload[] = "what TLS has to say";
    return (struct control_packet){
        .opcode = opcode,
        .key_id = 3,
        .session = {{1, 2, 3, 4, 5, 6, 7, 8}},
        .ack_count = 2,
        .acks = {7, 6},
        .peer = {{8, 7, 6, 5, 4, 3, 2, 1}},
        .message_id = 5,
        .payload = {payload, sizeof payload - 1},
    };
}

struct sent {
    uint8_t data[CONTROL_PACKET_SIZE_MAX];
    size_t size;
};

static struct sent seal(struct control_wrap *w, const struct control_packet *p)
{
    struct sent sent;
    struct writer out = writer_of(sent.data, sizeof sent.data);
    assert_true(control_wrap_seal(w, p, &out));
    sent.size = out.size;
    return sent;
}

/* From a heap copy of the exact size. */
static enum drop open_with(struct control_wrap *w, const void *data,
                           size_t size, struct bytes *wrapped_key)
{
    uint8_t scratch[CONTROL_WRAP_SCRATCH];
    struct control_packet p;
    uint8_t *copy = exact_copy(data, size);
    enum drop drop = control_wrap_open(w, now, bytes_of(copy, size), scratch,
                                       &p, wrapped_key);
    free(copy);
    return drop;
}

static enum drop open(struct control_wrap *w, const struct sent *s)
{
    return open_with(w, s->data, s->size, NULL);
}

static void every_way_makes_the_round_trip(void **state)
{
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
        struct control_wrap server = wrap_of(way, OPENVPN_SERVER, TIME);
        for (uint8_t opcode = 3; opcode <= 8; opcode++) {
            if (!opcode_is_control(opcode))
                continue;
            struct control_packet p = sample(opcode), q;
            uint8_t scratch[CONTROL_WRAP_SCRATCH];
            struct sent s = seal(&client, &p);
            assert_int_equal(control_wrap_open(&server, now,
                                               bytes_of(s.data, s.size),
                                               scratch, &q, NULL),
                             DROP_NONE);
            assert_int_equal(q.opcode, opcode);
            assert_int_equal(q.key_id, 3);
            assert_true(session_id_equal(&q.session, &p.session));
            assert_true(session_id_equal(&q.peer, &p.peer));
            assert_int_equal(q.ack_count, 2);
            if (opcode != OPCODE_ACK_V1)
                assert_bytes_equal(q.payload, p.payload);

            struct sent back = seal(&server, &p);
            assert_int_equal(open(&client, &back), DROP_NONE);
        }
        control_wrap_clear(&client);
        control_wrap_clear(&server);
    }
}

static void the_overhead_is_what_it_says(void **state)
{
    (void)state;
    static const size_t expected[WAYS] = {0, 28, 40, 72, 28, 40};
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    struct control_wrap none = wrap_of(NONE, OPENVPN_CLIENT, TIME);
    size_t plain = seal(&none, &p).size;
    for (enum way way = 0; way < WAYS; way++) {
        struct control_wrap w = wrap_of(way, OPENVPN_CLIENT, TIME);
        assert_int_equal(control_wrap_overhead(&w), expected[way]);
        assert_true(expected[way] <= CONTROL_WRAP_OVERHEAD_MAX);
        assert_int_equal(seal(&w, &p).size, plain + expected[way]);
        control_wrap_clear(&w);
    }
}

static void openvpns_wrapped_resets_are_opened(void **state)
{
    (void)state;
    struct control_wrap auth = wrap_of(AUTH_SHA1, OPENVPN_SERVER, TIME);
    struct control_wrap crypt = wrap_of(CRYPT, OPENVPN_SERVER, TIME);
    assert_int_equal(open_with(&auth, vector_reset_tls_auth,
                               sizeof vector_reset_tls_auth, NULL),
                     DROP_NONE);
    assert_int_equal(auth.receive_time, 0x61d3bf6c);
    assert_int_equal(open_with(&auth, vector_control_tls_auth,
                               sizeof vector_control_tls_auth, NULL),
                     DROP_NONE);
    assert_int_equal(auth.receive_time, 0x61d3ff53);
    assert_int_equal(open_with(&crypt, vector_reset_tls_crypt,
                               sizeof vector_reset_tls_crypt, NULL),
                     DROP_NONE);
    assert_int_equal(crypt.receive_time, 0x61d3f8e1);
    control_wrap_clear(&auth);
    control_wrap_clear(&crypt);
}

static void our_resets_are_openvpns_bytes(void **state)
{
    (void)state;
    struct control_packet p = {.opcode = OPCODE_CONTROL_HARD_RESET_CLIENT_V2};
    struct control_wrap auth = wrap_of(AUTH_SHA1, OPENVPN_CLIENT, 0x61d3bf6c);
    memcpy(p.session.bytes, vector_reset_tls_auth + 1, 8);
    struct sent s = seal(&auth, &p);
    assert_bytes_equal(
        bytes_of(s.data, s.size),
        bytes_of(vector_reset_tls_auth, sizeof vector_reset_tls_auth));

    struct control_wrap crypt = wrap_of(CRYPT, OPENVPN_CLIENT, 0x61d3f8e1);
    memcpy(p.session.bytes, vector_reset_tls_crypt + 1, 8);
    s = seal(&crypt, &p);
    assert_bytes_equal(
        bytes_of(s.data, s.size),
        bytes_of(vector_reset_tls_crypt, sizeof vector_reset_tls_crypt));
    control_wrap_clear(&auth);
    control_wrap_clear(&crypt);
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    for (enum way way = AUTH_SHA1; way < WAYS; way++) {
        struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
        struct control_wrap server = wrap_of(way, OPENVPN_SERVER, TIME);
        struct sent s = seal(&client, &p);
        for (size_t i = 0; i < s.size; i++)
            for (int bit = 0; bit < 8; bit++) {
                s.data[i] ^= (uint8_t)(1 << bit);
                assert_int_not_equal(open(&server, &s), DROP_NONE);
                s.data[i] ^= (uint8_t)(1 << bit);
            }
        assert_int_equal(open(&server, &s), DROP_NONE);
        control_wrap_clear(&client);
        control_wrap_clear(&server);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    p.payload.size = 0;
    for (enum way way = 0; way < WAYS; way++) {
        struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
        struct control_wrap server = wrap_of(way, OPENVPN_SERVER, TIME);
        struct sent s = seal(&client, &p);
        for (size_t size = 0; size < s.size; size++)
            assert_int_not_equal(open_with(&server, s.data, size, NULL),
                                 DROP_NONE);
        assert_int_equal(open(&server, &s), DROP_NONE);
        control_wrap_clear(&client);
        control_wrap_clear(&server);
    }
}

static void another_key_or_direction_does_not_open(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    for (enum way way = AUTH_SHA1; way < WAYS; way++)
        for (enum way other = AUTH_SHA1; other < WAYS; other++) {
            struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
            struct control_wrap server = wrap_of(other, OPENVPN_SERVER, TIME);
            struct sent s = seal(&client, &p);
            assert_int_equal(open(&server, &s) == DROP_NONE, way == other);
            /* Its own packet, thrown back at it. */
            assert_int_equal(open(&client, &s), way == AUTH_BOTH_ALIKE
                                                    ? DROP_NONE
                                                    : DROP_CONTROL_AUTH);
            control_wrap_clear(&client);
            control_wrap_clear(&server);
        }
}

static void a_repeated_packet_is_a_replay(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    for (enum way way = AUTH_SHA1; way < WAYS; way++) {
        struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
        struct control_wrap server = wrap_of(way, OPENVPN_SERVER, TIME);
        struct sent first = seal(&client, &p), second = seal(&client, &p);
        assert_memory_not_equal(first.data, second.data, first.size);
        assert_int_equal(open(&server, &second), DROP_NONE);
        assert_int_equal(open(&server, &first), DROP_NONE);
        assert_int_equal(open(&server, &first), DROP_CONTROL_REPLAY);
        assert_int_equal(open(&server, &second), DROP_CONTROL_REPLAY);
        control_wrap_clear(&client);
        control_wrap_clear(&server);
    }
}

static void a_newer_time_starts_a_new_count(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    struct control_wrap old = wrap_of(CRYPT, OPENVPN_CLIENT, TIME);
    struct control_wrap new = wrap_of(CRYPT, OPENVPN_CLIENT, TIME + 1);
    struct control_wrap server = wrap_of(CRYPT, OPENVPN_SERVER, TIME);
    struct sent first = seal(&old, &p), second = seal(&old, &p);
    struct sent newer = seal(&new, &p);
    assert_int_equal(open(&server, &first), DROP_NONE);
    assert_int_equal(open(&server, &newer), DROP_NONE);
    assert_int_equal(open(&server, &newer), DROP_CONTROL_REPLAY);
    assert_int_equal(open(&server, &second), DROP_CONTROL_REPLAY);
    control_wrap_clear(&old);
    control_wrap_clear(&new);
    control_wrap_clear(&server);
}

/* Authentic, but malformed: it must not use up its number. */
static void what_is_refused_has_no_effect(void **state)
{
    (void)state;
    struct control_packet good = sample(OPCODE_CONTROL_V1), bad = good;
    memset(&bad.session, 0, sizeof bad.session);
    for (enum way way = AUTH_SHA1; way < WAYS; way++) {
        struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
        struct control_wrap server = wrap_of(way, OPENVPN_SERVER, TIME);
        struct sent malformed = seal(&client, &bad);
        assert_int_equal(open(&server, &malformed), DROP_CONTROL_MALFORMED);
        assert_int_equal(server.receive_time, 0);
        client.send_id = 0;
        struct sent same_number = seal(&client, &good);
        assert_int_equal(open(&server, &same_number), DROP_NONE);

        assert_int_equal(open(&server, &same_number), DROP_CONTROL_REPLAY);
        control_wrap_clear(&client);
        control_wrap_clear(&server);
    }
}

static void replay_number_zero_is_refused_whatever_its_time(void **state)
{
    (void)state;
    struct static_key key = openvpns_key();
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    struct control_wrap client = wrap_of(CRYPT, OPENVPN_CLIENT, TIME);
    struct control_wrap server = wrap_of(CRYPT, OPENVPN_SERVER, TIME);
    struct sent good = seal(&client, &p), zero;
    assert_int_equal(open(&server, &good), DROP_NONE);

    struct tls_crypt bare;
    struct writer w = writer_of(zero.data, sizeof zero.data);
    assert_true(tls_crypt_init(&bare, &key, OPENVPN_CLIENT));
    assert_true(tls_crypt_seal(&bare, 0, TIME + 100, &p, &w));
    zero.size = w.size;
    assert_int_equal(open(&server, &zero), DROP_CONTROL_REPLAY);
    assert_int_equal(open(&server, &good), DROP_CONTROL_REPLAY);
    assert_int_equal(server.receive_time, TIME);
    tls_crypt_clear(&bare);
    control_wrap_clear(&client);
    control_wrap_clear(&server);
}

static void used_up_numbers_stop_it(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    for (enum way way = AUTH_SHA1; way < WAYS; way++) {
        struct control_wrap w = wrap_of(way, OPENVPN_CLIENT, TIME);
        w.send_id = UINT32_MAX - 1;
        (void)seal(&w, &p);
        uint8_t memory[256];
        struct writer out = writer_of(memory, sizeof memory);
        assert_false(control_wrap_seal(&w, &p, &out));
        assert_int_equal(out.size, 0);
        control_wrap_clear(&w);
    }
}

static void what_does_not_fit_is_not_sealed(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    for (enum way way = 0; way < WAYS; way++) {
        struct control_wrap w = wrap_of(way, OPENVPN_CLIENT, TIME);
        size_t whole = seal(&w, &p).size;
        for (size_t room = 0; room <= whole; room++) {
            uint8_t *memory = malloc(room ? room : 1);
            assert_non_null(memory);
            struct writer out = writer_of(memory, room);
            assert_int_equal(control_wrap_seal(&w, &p, &out), room == whole);
            free(memory);
        }
        control_wrap_clear(&w);
    }
}

static void a_datagram_is_appended_to_what_the_writer_has(void **state)
{
    (void)state;
    struct control_packet p = sample(OPCODE_CONTROL_V1);
    for (enum way way = 0; way < WAYS; way++) {
        struct control_wrap client = wrap_of(way, OPENVPN_CLIENT, TIME);
        struct control_wrap server = wrap_of(way, OPENVPN_SERVER, TIME);
        uint8_t memory[256];
        struct writer w = writer_of(memory, sizeof memory);
        write_u16(&w, 0xabcd);
        assert_true(control_wrap_seal(&client, &p, &w));
        assert_int_equal(load_u16(memory), 0xabcd);
        assert_int_equal(open_with(&server, memory + 2, w.size - 2, NULL),
                         DROP_NONE);
        control_wrap_clear(&client);
        control_wrap_clear(&server);
    }
}

static void what_is_no_control_packet_is_refused_by_its_opcode(void **state)
{
    (void)state;
    uint8_t wire[64] = {0};
    for (enum way way = 0; way < WAYS; way++) {
        struct control_wrap w = wrap_of(way, OPENVPN_CLIENT, TIME);
        for (uint8_t opcode = 0; opcode < 32; opcode++) {
            wire[0] = (uint8_t)(opcode << 3);
            bool right = opcode_is_control(opcode) && opcode < 10;
            assert_int_equal(
                open_with(&w, wire, sizeof wire, NULL) == DROP_OPCODE, !right);
        }
        control_wrap_clear(&w);
    }
}

static void too_large_a_datagram_is_refused(void **state)
{
    (void)state;
    struct control_wrap w = wrap_of(NONE, OPENVPN_CLIENT, TIME);
    uint8_t wire[CONTROL_PACKET_SIZE_MAX + 1];
    memset(wire, 1, sizeof wire);
    wire[0] = OPCODE_CONTROL_V1 << 3;
    assert_int_equal(open_with(&w, wire, CONTROL_PACKET_SIZE_MAX, NULL),
                     DROP_NONE);
    assert_int_equal(open_with(&w, wire, CONTROL_PACKET_SIZE_MAX + 1, NULL),
                     DROP_CONTROL_MALFORMED);
}

static void an_unknown_digest_is_refused(void **state)
{
    (void)state;
    struct static_key key = openvpns_key();
    struct control_wrap w;
    assert_false(control_wrap_init_tls_auth(&w, &key, 1, "NONE", TIME));
    assert_false(control_wrap_init_tls_auth(&w, &key, 1, "SHA3", TIME));
    control_wrap_clear(&w);
}

struct v2 {
    struct tls_crypt_v2_client_key key;
    struct control_wrap client, server;
};

static void set_up_v2(struct v2 *v)
{
    assert_true(tls_crypt_v2_parse_client(bytes_of_text(vector_v2_client_key),
                                          &v->key));
    assert_true(control_wrap_init_tls_crypt_v2(
        &v->client, &v->key.key, bytes_of(v->key.wrapped, v->key.wrapped_size),
        TIME));
    assert_true(control_wrap_init_tls_crypt(&v->server, &v->key.key,
                                            OPENVPN_SERVER, TIME));
}

static void clear_v2(struct v2 *v)
{
    control_wrap_clear(&v->client);
    control_wrap_clear(&v->server);
}

static void a_v2_clients_first_packet_carries_its_key(void **state)
{
    (void)state;
    struct v2 v;
    set_up_v2(&v);
    struct control_packet p = {
        .opcode = OPCODE_CONTROL_HARD_RESET_CLIENT_V3,
        .session = {{1, 2, 3, 4, 5, 6, 7, 8}},
    };
    struct sent s = seal(&v.client, &p);
    /* As seen from OpenVPN: 54 bytes and the wrapped key of 299, and the
     * replay number that offers to send it again. */
    assert_int_equal(s.size, 54 + 299);
    assert_int_equal(load_u32(s.data + 9), 0x0f000001);

    struct bytes wrapped;
    uint8_t scratch[CONTROL_WRAP_SCRATCH];
    assert_int_equal(control_wrap_open(&v.server, now, bytes_of(s.data, s.size),
                                       scratch, &p, &wrapped),
                     DROP_NONE);
    assert_int_equal(p.opcode, OPCODE_CONTROL_HARD_RESET_CLIENT_V3);
    assert_int_equal(p.payload.size, 0);
    assert_bytes_equal(wrapped, bytes_of(v.key.wrapped, v.key.wrapped_size));
    clear_v2(&v);
}

static void only_two_opcodes_carry_the_key(void **state)
{
    (void)state;
    struct v2 v;
    set_up_v2(&v);
    for (uint8_t opcode = 3; opcode <= 11; opcode++) {
        if (!opcode_is_control(opcode))
            continue;
        struct control_packet p = sample(opcode);
        struct sent s = seal(&v.client, &p);
        struct bytes wrapped = {NULL, 1};
        assert_int_equal(open_with(&v.server, s.data, s.size, &wrapped),
                         DROP_NONE);
        assert_int_equal(wrapped.size, opcode >= 10 ? 299 : 0);
    }
    clear_v2(&v);
}

static void a_wrapped_key_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    struct v2 v;
    set_up_v2(&v);
    struct control_packet p = sample(OPCODE_CONTROL_WKC_V1);
    struct sent s = seal(&v.client, &p);
    struct bytes wrapped;
    assert_int_equal(open(&v.server, &s), DROP_OPCODE);
    struct control_wrap none = wrap_of(NONE, OPENVPN_SERVER, TIME);
    assert_int_equal(open_with(&none, s.data, s.size, &wrapped), DROP_OPCODE);
    assert_int_equal(open_with(&v.client, s.data, s.size, &wrapped),
                     DROP_OPCODE);

    struct control_wrap crypt = wrap_of(CRYPT, OPENVPN_CLIENT, TIME);
    struct writer out = writer_of(s.data, sizeof s.data);
    assert_false(control_wrap_seal(&crypt, &p, &out));
    assert_false(control_wrap_seal(&none, &p, &out));
    control_wrap_clear(&crypt);
    clear_v2(&v);
}

static void every_truncation_with_a_key_is_refused(void **state)
{
    (void)state;
    struct v2 v;
    set_up_v2(&v);
    struct control_packet p = sample(OPCODE_CONTROL_WKC_V1);
    struct sent s = seal(&v.client, &p);
    for (size_t size = 0; size < s.size; size++) {
        struct bytes wrapped;
        assert_int_not_equal(open_with(&v.server, s.data, size, &wrapped),
                             DROP_NONE);
    }
    clear_v2(&v);
}

static void a_key_that_does_not_fit_fails_the_seal(void **state)
{
    (void)state;
    struct v2 v;
    set_up_v2(&v);
    struct control_packet p = sample(OPCODE_CONTROL_WKC_V1);
    size_t whole = seal(&v.client, &p).size;
    uint8_t *memory = malloc(whole - 1);
    assert_non_null(memory);
    struct writer out = writer_of(memory, whole - 1);
    assert_false(control_wrap_seal(&v.client, &p, &out));
    free(memory);
    clear_v2(&v);

    uint8_t large[TLS_CRYPT_V2_WRAPPED_MAX + 1] = {0};
    assert_false(control_wrap_init_tls_crypt_v2(
        &v.client, &v.key.key, bytes_of(large, sizeof large), TIME));
    assert_false(control_wrap_init_tls_crypt_v2(&v.client, &v.key.key,
                                                bytes_of(NULL, 0), TIME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_makes_the_round_trip),
        cmocka_unit_test(the_overhead_is_what_it_says),
        cmocka_unit_test(openvpns_wrapped_resets_are_opened),
        cmocka_unit_test(our_resets_are_openvpns_bytes),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(another_key_or_direction_does_not_open),
        cmocka_unit_test(a_repeated_packet_is_a_replay),
        cmocka_unit_test(a_newer_time_starts_a_new_count),
        cmocka_unit_test(what_is_refused_has_no_effect),
        cmocka_unit_test(replay_number_zero_is_refused_whatever_its_time),
        cmocka_unit_test(used_up_numbers_stop_it),
        cmocka_unit_test(what_does_not_fit_is_not_sealed),
        cmocka_unit_test(a_datagram_is_appended_to_what_the_writer_has),
        cmocka_unit_test(what_is_no_control_packet_is_refused_by_its_opcode),
        cmocka_unit_test(too_large_a_datagram_is_refused),
        cmocka_unit_test(an_unknown_digest_is_refused),
        cmocka_unit_test(a_v2_clients_first_packet_carries_its_key),
        cmocka_unit_test(only_two_opcodes_carry_the_key),
        cmocka_unit_test(a_wrapped_key_nobody_asked_for_is_refused),
        cmocka_unit_test(every_truncation_with_a_key_is_refused),
        cmocka_unit_test(a_key_that_does_not_fit_fails_the_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
