#include "gateway/openvpn/session/options_string.h"
#include "tests/unit.h"

/* Printed by OpenVPN 2.6.14 with `--verb 7` for these profiles. */
static const struct {
    struct options_string o;
    const char *text;
} known[] = {
    {{.cipher = ""},
     "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,"
     "keysize 128,key-method 2,tls-client"},
    {{.cipher = "AES-256-GCM"},
     "V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,cipher "
     "AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-client"},
    {{.cipher = "AES-256-CBC", .auth = "SHA256"},
     "V4,dev-type tun,link-mtu 1569,tun-mtu 1500,proto UDPv4,auth SHA256,"
     "keysize 256,key-method 2,tls-client"},
    {{.cipher = "AES-256-CBC",
      .data_ciphers = "AES-256-GCM:AES-256-CBC",
      .auth = "SHA512",
      .tls_auth = true,
      .key_direction = 1},
     "V4,dev-type tun,link-mtu 1601,tun-mtu 1500,proto UDPv4,keydir 1,cipher "
     "AES-256-CBC,auth SHA512,keysize 256,tls-auth,key-method 2,tls-client"},
    {{.cipher = "AES-256-GCM",
      .compression = CONFIG_COMPRESSION_LZO,
      .fragment = true},
     "V4,dev-type tun,link-mtu 1554,tun-mtu 1500,proto UDPv4,comp-lzo,"
     "mtu-dynamic,cipher AES-256-GCM,auth [null-digest],keysize 256,"
     "key-method 2,tls-client"},
    {{.cipher = "AES-128-GCM", .protocol = CONFIG_TCP},
     "V4,dev-type tun,link-mtu 1551,tun-mtu 1500,proto TCPv4_CLIENT,cipher "
     "AES-128-GCM,auth [null-digest],keysize 128,key-method 2,tls-client"},
    {{.cipher = "CHACHA20-POLY1305"},
     "V4,dev-type tun,link-mtu 1534,tun-mtu 1500,proto UDPv4,cipher "
     "CHACHA20-POLY1305,auth [null-digest],keysize 256,key-method 2,"
     "tls-client"},
    {{.cipher = "AES-192-CBC",
      .data_ciphers = "AES-192-CBC:AES-256-GCM",
      .protocol = CONFIG_TCP,
      .compression = CONFIG_COMPRESSION_LZO},
     "V4,dev-type tun,link-mtu 1560,tun-mtu 1500,proto TCPv4_CLIENT,comp-lzo,"
     "cipher AES-192-CBC,auth SHA1,keysize 192,key-method 2,tls-client"},
    {{.cipher = "AES-256-GCM", .compression = CONFIG_COMPRESSION_STUB_V2},
     "V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,comp-lzo,cipher "
     "AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-client"},
    {{.cipher = "AES-256-GCM", .compression = CONFIG_COMPRESSION_STUB},
     "V4,dev-type tun,link-mtu 1550,tun-mtu 1500,proto UDPv4,comp-lzo,cipher "
     "AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-client"},
    {{.cipher = "BF-CBC", .auth = "SHA512"},
     "V4,dev-type tun,link-mtu 1585,tun-mtu 1500,proto UDPv4,auth SHA512,"
     "keysize 128,key-method 2,tls-client"},
    {{.cipher = "none", .auth = "none"},
     "V4,dev-type tun,link-mtu 1505,tun-mtu 1500,proto UDPv4,auth "
     "[null-digest],keysize 0,key-method 2,tls-client"},
    {{.cipher = "AES-128-CBC", .data_ciphers = "AES-128-CBC", .tun_mtu = 1400},
     "V4,dev-type tun,link-mtu 1457,tun-mtu 1400,proto UDPv4,cipher "
     "AES-128-CBC,auth SHA1,keysize 128,key-method 2,tls-client"},
    {{.cipher = "AES-256-GCM", .socks = true},
     "V4,dev-type tun,link-mtu 1559,tun-mtu 1500,proto UDPv4,cipher "
     "AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-client"},
    {{.cipher = "AES-256-GCM", .tls_auth = true},
     "V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,cipher "
     "AES-256-GCM,auth [null-digest],keysize 256,tls-auth,key-method 2,"
     "tls-client"},
    {{.cipher = "AES-256-CBC", .auth = "none"},
     "V4,dev-type tun,link-mtu 1537,tun-mtu 1500,proto UDPv4,auth "
     "[null-digest],keysize 256,key-method 2,tls-client"},
    {{.cipher = "DES-EDE3-CBC"},
     "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,"
     "keysize 192,key-method 2,tls-client"},
};

/* Members that the table leaves out are OpenVPN's defaults. */
static struct options_string completed(struct options_string o)
{
    if (!o.data_ciphers)
        o.data_ciphers = "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305";
    if (!o.auth)
        o.auth = "SHA1";
    if (!o.tun_mtu)
        o.tun_mtu = 1500;
    if (!o.tls_auth || o.key_direction == 0)
        o.key_direction = -1;
    return o;
}

static void every_string_is_that_of_openvpn(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct options_string o = completed(known[i].o);
        char text[OPTIONS_STRING_SIZE];
        assert_true(options_string_format(&o, text));
        assert_string_equal(text, known[i].text);
    }
}

static void the_servers_end_is_mirrored(void **state)
{
    (void)state;
    struct options_string o = {
        .server = true,
        .protocol = CONFIG_TCP,
        .cipher = "AES-256-GCM",
        .data_ciphers = "AES-256-GCM",
        .auth = "SHA1",
        .tun_mtu = 1500,
        .tls_auth = true,
        .key_direction = 0,
    };
    char text[OPTIONS_STRING_SIZE];
    assert_true(options_string_format(&o, text));
    assert_string_equal(text, "V4,dev-type tun,link-mtu 1551,tun-mtu 1500,"
                              "proto TCPv4_SERVER,keydir 0,cipher AES-256-GCM,"
                              "auth [null-digest],keysize 256,tls-auth,"
                              "key-method 2,tls-server");
}

static void an_unknown_cipher_or_digest_makes_no_string(void **state)
{
    (void)state;
    struct options_string o = completed((struct options_string){.cipher = "X"});
    char text[OPTIONS_STRING_SIZE];
    assert_false(options_string_format(&o, text));
    o.cipher = "AES-256-GCM";
    o.auth = "X";
    assert_false(options_string_format(&o, text));
}

static void a_profile_and_its_remote_make_a_string(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    memcpy(c.cipher, "AES-256-CBC", 12);
    memcpy(c.data_ciphers_fallback, "AES-128-CBC", 12);
    struct config_remote r;
    config_remote_init(&r);
    r.key_direction = 1;
    struct options_string o = options_string_of(&c, &r);
    assert_string_equal(o.cipher, "AES-128-CBC");
    /* A direction without tls-auth is not told. */
    assert_int_equal(o.key_direction, -1);
    assert_false(o.socks);
    r.proxy.kind = CONFIG_PROXY_SOCKS;
    r.wrap = CONFIG_WRAP_TLS_AUTH;
    o = options_string_of(&c, &r);
    assert_true(o.socks && o.tls_auth);
    assert_int_equal(o.key_direction, 1);
    config_clear(&c);
}

static void the_peers_cipher_is_found(void **state)
{
    (void)state;
    struct bytes text = bytes_of_text(known[1].text);
    char value[32];
    assert_true(options_string_value(text, "cipher", value, sizeof value));
    assert_string_equal(value, "AES-256-GCM");
    assert_true(options_string_value(text, "key-method", value, sizeof value));
    assert_string_equal(value, "2");
    assert_false(options_string_value(text, "tls-client", value, sizeof value));
    assert_false(options_string_value(text, "ciphe", value, sizeof value));
    assert_false(options_string_value(text, "cipher", value, 11));
    assert_false(
        options_string_value(bytes_of(NULL, 0), "cipher", value, sizeof value));
    size_t value_at =
        (size_t)(strstr(known[1].text, "auth ") - known[1].text) + 5;
    for (size_t n = 0; n < text.size; n++) {
        uint8_t *copy = exact_copy(text.data, n);
        assert_int_equal(options_string_value(bytes_of(copy, n), "auth", value,
                                              sizeof value),
                         n > value_at);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_string_is_that_of_openvpn),
        cmocka_unit_test(the_servers_end_is_mirrored),
        cmocka_unit_test(an_unknown_cipher_or_digest_makes_no_string),
        cmocka_unit_test(a_profile_and_its_remote_make_a_string),
        cmocka_unit_test(the_peers_cipher_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
