#include "gateway/openvpn/push_options.h"
#include "tests/unit.h"

static void a_typical_reply_makes_a_tunnel(void **state)
{
    (void)state;
    struct config config;
    config_init(&config);
    struct push_options o;
    push_options_init(&o, &config, NULL, NULL);
    const char *message =
        "PUSH_REPLY,route 10.8.0.1,topology subnet,redirect-gateway def1,"
        "dhcp-option DNS 10.8.0.1,ping 10,ping-restart 60,route-gateway "
        "10.8.0.1,ifconfig 10.8.0.6 255.255.255.0,peer-id 3,cipher "
        "AES-256-GCM,protocol-flags cc-exit tls-ekm dyn-tls-crypt,tun-mtu 1500";
    assert_true(
        push_options_add(&o, bytes_of_text(message), &config, NULL, NULL));
    const char *why = NULL;
    assert_true(push_options_finish(&o, &why));
    assert_int_equal(address_to_ipv4(&o.tunnel.ipv4.address), 0x0a080006);
    assert_int_equal(o.tunnel.ipv4.bits, 24);
    assert_int_equal(address_to_ipv4(&o.tunnel.ipv4_gateway), 0x0a080001);
    assert_true(o.tunnel.redirect_ipv4);
    assert_int_equal(o.tunnel.resolver_count, 1);
    assert_int_equal(o.tunnel.route_count, 1);
    assert_int_equal(o.peer_id, 3);
    assert_string_equal(o.cipher, "AES-256-GCM");
    assert_true(o.tls_ekm && o.cc_exit && o.dyn_tls_crypt && !o.aead_epoch);
    assert_int_equal(o.tunnel.mtu, 1500);
    push_options_clear(&o);
    config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typical_reply_makes_a_tunnel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
