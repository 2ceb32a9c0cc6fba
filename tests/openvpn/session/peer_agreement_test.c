#include "gateway/openvpn/session/peer_agreement.h"

#include "gateway/openvpn/session/peer_info.h"
#include "tests/unit.h"

static struct peer_agreement agreed(const char *data_ciphers,
                                    const char *peer_info)
{
    struct config config;
    struct peer_agreement p;
    config_init(&config);
    memcpy(config.data_ciphers, data_ciphers, strlen(data_ciphers) + 1);
    uint8_t *exact = exact_copy(peer_info, strlen(peer_info));
    peer_agreement_agree(&config, bytes_of(exact, strlen(peer_info)), &p);
    free(exact);
    return p;
}

static void what_both_can_is_agreed_on(void **state)
{
    (void)state;
    /* As OpenVPN 2.6.14 says it with `tls-server` and no `mode server`. */
    struct peer_agreement p =
        agreed("AES-256-GCM:AES-128-GCM",
               "IV_VER=2.6.14\nIV_PLAT=linux\nIV_TCPNL=1\n"
               "IV_MTU=1600\nIV_NCP=2\n"
               "IV_CIPHERS=AES-128-GCM:AES-256-GCM\nIV_PROTO=746\n");
    assert_true(p.data_v2 && p.key_export && p.dynamic_tls_crypt && p.cc_exit);
    assert_string_equal(p.cipher, "AES-128-GCM");
    assert_int_equal(peer_agreement_protocol() & 746, 682);
    p = agreed("AES-256-GCM", "IV_CIPHERS=AES-256-GCM\nIV_PROTO=34");
    assert_true(p.data_v2);
    assert_false(p.key_export || p.dynamic_tls_crypt || p.cc_exit);
}

static void the_servers_order_counts(void **state)
{
    (void)state;
    assert_string_equal(
        agreed("AES-256-GCM:CHACHA20-POLY1305",
               "IV_PROTO=32\nIV_CIPHERS=BF-CBC:x:chacha20-poly1305:AES-256-GCM")
            .cipher,
        "CHACHA20-POLY1305");
    assert_string_equal(
        agreed("AES-256-GCM", "IV_PROTO=32\nIV_CIPHERS=AES-128-GCM").cipher,
        "");
    assert_string_equal(agreed("AES-256-GCM", "IV_PROTO=32\n").cipher, "");
}

/* A peer that cannot negotiate so, or says nonsense, gets what both have always
 * had. */
static void with_others_nothing_is_agreed_on(void **state)
{
    (void)state;
    static const char *const said[] = {
        "",
        "IV_CIPHERS=AES-256-GCM\n",
        "IV_CIPHERS=AES-256-GCM\nIV_PROTO=990\n", /* a client that pulls */
        "IV_CIPHERS=AES-256-GCM\nIV_PROTO=\n",
        "IV_CIPHERS=AES-256-GCM\nIV_PROTO=-1\n",
        "IV_CIPHERS=AES-256-GCM\nIV_PROTO=4294967296\n",
    };
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct peer_agreement p = agreed("AES-256-GCM", said[i]);
        assert_false(p.data_v2 || p.key_export || p.dynamic_tls_crypt ||
                     p.cc_exit || p.cipher[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_can_is_agreed_on),
        cmocka_unit_test(the_servers_order_counts),
        cmocka_unit_test(with_others_nothing_is_agreed_on),
    };
    return cmocka_run_group_tests_name("p2p", tests, NULL, NULL);
}
