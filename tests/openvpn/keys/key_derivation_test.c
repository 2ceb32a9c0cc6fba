#include "gateway/openvpn/keys/key_derivation.h"

#include "tests/crypto/vectors.h"
#include "tests/unit.h"

static void check_prf(const struct vectors *v)
{
    uint8_t secret[128], seed[128], expected[256], out[256 + 1] = {0};
    struct bytes by =
        bytes_of(secret, vectors_bytes(v, "secret", secret, sizeof secret));
    struct bytes with =
        bytes_of(seed, vectors_bytes(v, "seed", seed, sizeof seed));
    size_t size = vectors_bytes(v, "out", expected, sizeof expected);
    /* every shorter output is the start of it, and nothing is written behind */
    for (size_t part = 0; part <= size; part++) {
        memset(out, 0xa5, sizeof out);
        assert_true(key_derivation_prf(by, with, out, part));
        assert_memory_equal(out, expected, part);
        assert_int_equal(out[part], 0xa5);
    }
}

static void exactly(const struct vectors *v, const char *name, void *out,
                    size_t size)
{
    assert_int_equal(vectors_bytes(v, name, out, size), size);
}

static void check_legacy(const struct vectors *v)
{
    struct key_source client, server = {{0}, {0}, {0}};
    struct session_id client_session, server_session;
    struct key_material material, expected;
    exactly(v, "pre_master", client.pre_master, sizeof client.pre_master);
    exactly(v, "client_random1", client.random1, sizeof client.random1);
    exactly(v, "client_random2", client.random2, sizeof client.random2);
    exactly(v, "server_random1", server.random1, sizeof server.random1);
    exactly(v, "server_random2", server.random2, sizeof server.random2);
    exactly(v, "client_session", &client_session, sizeof client_session);
    exactly(v, "server_session", &server_session, sizeof server_session);
    exactly(v, "material", expected.bytes, sizeof expected.bytes);
    assert_true(key_derivation_legacy(&client, &server, &client_session,
                                      &server_session, &material));
    assert_memory_equal(material.bytes, expected.bytes, sizeof expected.bytes);
}

static void prf_and_legacy_keys_match_known_vectors(void **state)
{
    (void)state;
    struct vectors v;
    int prf = 0, legacy = 0;
    vectors_open(&v, "tests/vectors/key_derivation.txt");
    while (vectors_next(&v)) {
        if (vectors_text(&v, "pre_master")) {
            check_legacy(&v);
            legacy++;
        } else {
            check_prf(&v);
            prf++;
        }
    }
    vectors_close(&v);
    assert_int_equal(prf, 3);
    assert_int_equal(legacy, 1);
}

static void what_one_end_sends_the_other_receives(void **state)
{
    (void)state;
    struct key_material m = {{0}};
    struct key_direction d = key_material_send(&m, OPENVPN_CLIENT);
    assert_ptr_equal(d.cipher, m.bytes);
    assert_ptr_equal(d.hmac, m.bytes + 64);
    d = key_material_receive(&m, OPENVPN_SERVER);
    assert_ptr_equal(d.cipher, m.bytes);
    assert_ptr_equal(d.hmac, m.bytes + 64);
    d = key_material_send(&m, OPENVPN_SERVER);
    assert_ptr_equal(d.cipher, m.bytes + 128);
    assert_ptr_equal(d.hmac, m.bytes + 192);
    d = key_material_receive(&m, OPENVPN_CLIENT);
    assert_ptr_equal(d.cipher, m.bytes + 128);
    assert_ptr_equal(d.hmac, m.bytes + 192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prf_and_legacy_keys_match_known_vectors),
        cmocka_unit_test(what_one_end_sends_the_other_receives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
