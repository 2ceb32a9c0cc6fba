#include "gateway/openvpn/control/tls_crypt.h"

#include "tests/unit.h"
#include "tests/vectors/openvpn_tls_crypt.h"

static const char plain[] = "1234567890";

enum { PLAIN_SIZE = sizeof plain - 1, REPLAY_SIZE = 8 };

static void set_up(struct tls_crypt *client, struct tls_crypt *server)
{
    struct static_key key;
    memset(key.bytes, 0xba, sizeof key.bytes);
    assert_true(tls_crypt_init(client, &key, OPENVPN_CLIENT));
    assert_true(tls_crypt_init(server, &key, OPENVPN_SERVER));
}

static void openvpns_sealed_bytes_are_made_and_opened(void **state)
{
    (void)state;
    struct tls_crypt client, server;
    set_up(&client, &server);
    struct bytes replay = bytes_of(vector_tls_crypt_sealed, REPLAY_SIZE);
    const uint8_t *tag = vector_tls_crypt_sealed + REPLAY_SIZE;
    const uint8_t *sealed = tag + TLS_CRYPT_TAG_SIZE;

    uint8_t body[PLAIN_SIZE], made[TLS_CRYPT_TAG_SIZE];
    memcpy(body, plain, PLAIN_SIZE);
    assert_true(
        tls_crypt_encrypt(&client.send, replay, body, sizeof body, made));
    assert_memory_equal(made, tag, sizeof made);
    assert_memory_equal(body, sealed, sizeof body);

    assert_true(tls_crypt_decrypt(&server.receive, replay,
                                  bytes_of(sealed, sizeof body), tag, body));
    assert_memory_equal(body, plain, sizeof body);
    tls_crypt_clear(&client);
    tls_crypt_clear(&server);
}

/* Whether a key of such bytes seals as OpenVPN's dynamic one does. */
static bool seals_the_same(const struct static_key *key)
{
    struct tls_crypt client;
    uint8_t body[PLAIN_SIZE], tag[TLS_CRYPT_TAG_SIZE];
    memcpy(body, plain, PLAIN_SIZE);
    assert_true(tls_crypt_init(&client, key, OPENVPN_CLIENT));
    assert_true(tls_crypt_encrypt(
        &client.send, bytes_of(vector_tls_crypt_sealed, REPLAY_SIZE), body,
        sizeof body, tag));
    tls_crypt_clear(&client);
    const uint8_t *expected = vector_tls_crypt_sealed + REPLAY_SIZE;
    return !memcmp(tag, expected, sizeof tag) &&
           !memcmp(body, expected + sizeof tag, sizeof body);
}

static void the_dynamic_key_is_openvpns(void **state)
{
    (void)state;
    static const struct {
        uint8_t exported, wrapping;
        bool same;
    } cases[] = {{0xba, 0x00, true}, {0xba, 0x42, false}, {0xf8, 0x42, true}};
    struct static_key exported, wrapping;
    memset(exported.bytes, 0xba, sizeof exported.bytes);
    tls_crypt_mix(&exported, NULL);
    assert_true(seals_the_same(&exported));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(exported.bytes, cases[i].exported, sizeof exported.bytes);
        memset(wrapping.bytes, cases[i].wrapping, sizeof wrapping.bytes);
        tls_crypt_mix(&exported, &wrapping);
        assert_int_equal(seals_the_same(&exported), cases[i].same);
    }
}

static void nothing_is_left_of_what_fails(void **state)
{
    (void)state;
    struct tls_crypt client, server;
    set_up(&client, &server);
    struct bytes replay = bytes_of(vector_tls_crypt_sealed, REPLAY_SIZE);
    uint8_t tag[TLS_CRYPT_TAG_SIZE], out[PLAIN_SIZE];
    struct bytes sealed = bytes_of(
        vector_tls_crypt_sealed + REPLAY_SIZE + TLS_CRYPT_TAG_SIZE, PLAIN_SIZE);
    for (size_t i = 0; i < sizeof tag; i++) {
        static const uint8_t zero[PLAIN_SIZE];
        memcpy(tag, vector_tls_crypt_sealed + REPLAY_SIZE, sizeof tag);
        tag[i] ^= 0x10;
        memset(out, 0xff, sizeof out);
        assert_false(
            tls_crypt_decrypt(&server.receive, replay, sealed, tag, out));
        assert_memory_equal(out, zero, sizeof out);
    }
    tls_crypt_clear(&client);
    tls_crypt_clear(&server);
}

static void each_direction_has_its_own_keys(void **state)
{
    (void)state;
    struct static_key key;
    struct tls_crypt client, server;
    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = (uint8_t)i;
    assert_true(tls_crypt_init(&client, &key, OPENVPN_CLIENT));
    assert_true(tls_crypt_init(&server, &key, OPENVPN_SERVER));

    struct bytes none = {NULL, 0};
    uint8_t up[PLAIN_SIZE], down[PLAIN_SIZE], out[PLAIN_SIZE];
    uint8_t up_tag[TLS_CRYPT_TAG_SIZE], down_tag[TLS_CRYPT_TAG_SIZE];
    memcpy(up, plain, PLAIN_SIZE);
    memcpy(down, plain, PLAIN_SIZE);
    assert_true(tls_crypt_encrypt(&client.send, none, up, sizeof up, up_tag));
    assert_true(
        tls_crypt_encrypt(&server.send, none, down, sizeof down, down_tag));
    assert_memory_not_equal(up_tag, down_tag, sizeof up_tag);

    struct bytes sealed_up = bytes_of(up, sizeof up);
    struct bytes sealed_down = bytes_of(down, sizeof down);
    assert_true(
        tls_crypt_decrypt(&server.receive, none, sealed_up, up_tag, out));
    assert_true(
        tls_crypt_decrypt(&client.receive, none, sealed_down, down_tag, out));
    assert_false(
        tls_crypt_decrypt(&client.receive, none, sealed_up, up_tag, out));
    assert_false(
        tls_crypt_decrypt(&server.receive, none, sealed_down, down_tag, out));
    tls_crypt_clear(&client);
    tls_crypt_clear(&server);
}

static void an_empty_body_is_authenticated_too(void **state)
{
    (void)state;
    struct tls_crypt client, server;
    set_up(&client, &server);
    uint8_t tag[TLS_CRYPT_TAG_SIZE], nothing[1];
    struct bytes clear = bytes_of_text("seen by all");
    assert_true(tls_crypt_encrypt(&client.send, clear, nothing, 0, tag));
    assert_true(tls_crypt_decrypt(&server.receive, clear, bytes_of(nothing, 0),
                                  tag, nothing));
    assert_false(tls_crypt_decrypt(&server.receive, bytes_of_text("seen by al"),
                                   bytes_of(nothing, 0), tag, nothing));
    tls_crypt_clear(&client);
    tls_crypt_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openvpns_sealed_bytes_are_made_and_opened),
        cmocka_unit_test(the_dynamic_key_is_openvpns),
        cmocka_unit_test(nothing_is_left_of_what_fails),
        cmocka_unit_test(each_direction_has_its_own_keys),
        cmocka_unit_test(an_empty_body_is_authenticated_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
