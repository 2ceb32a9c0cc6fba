#include "gateway/dom0/vm_config.h"

#include "tests/unit.h"

static bool set(struct vm_config *c, enum vm_config_key key, const char *value)
{
    return vm_config_set(c, key, bytes_of_text(value));
}

static bool takes(enum vm_config_key key, const char *value)
{
    struct vm_config c = {0};
    set(&c, key, value);
    if (c.states[key] == VM_CONFIG_WRONG) {
        assert_non_null(strstr(c.why[key], vm_config_name(key)));
        assert_string_equal(c.texts[key], "");
        return false;
    }
    assert_int_equal(c.states[key], VM_CONFIG_SET);
    assert_string_equal(c.why[key], "");
    return true;
}

static void a_name_is_a_key(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VM_CONFIG_KEY_COUNT; i++) {
        assert_int_equal(vm_config_key_of(vm_config_name(i)), i);
        assert_true(strlen(vm_config_form(i)) > 0);
    }
    assert_int_equal(vm_config_key_of("vpn-colour"), VM_CONFIG_KEY_COUNT);
    assert_int_equal(vm_config_key_of(""), VM_CONFIG_KEY_COUNT);
}

static void good_values_are_read(void **state)
{
    (void)state;
    struct vm_config c = {0};
    assert_true(set(&c, VM_CONFIG_PROFILE, "provider/work.ovpn"));
    assert_string_equal(c.values.profiles[0], "provider/work.ovpn");
    assert_true(set(&c, VM_CONFIG_PROFILE, "work.ovpn  home.ovpn "));
    assert_true(set(&c, VM_CONFIG_REMOTE,
                    "vpn.example.com:443/tcp 192.0.2.1 [2001:db8::1]:1195 "
                    "2001:db8::2/udp"));
    assert_true(set(&c, VM_CONFIG_PROXY, "socks5://10.0.0.1:1080"));
    assert_true(set(&c, VM_CONFIG_USERNAME, "a b"));
    assert_true(set(&c, VM_CONFIG_DNS, "9.9.9.9 2620:fe::fe"));
    assert_true(set(&c, VM_CONFIG_MTU, "1300"));
    assert_true(set(&c, VM_CONFIG_IPV6, "On"));
    assert_true(set(&c, VM_CONFIG_LOG_LEVEL, "debug"));

    const struct vm_config_values *v = &c.values;
    assert_int_equal(v->profile_count, 2);
    assert_string_equal(v->profiles[0], "work.ovpn");
    assert_string_equal(v->profiles[1], "home.ovpn");
    assert_int_equal(v->overlay.server_count, 4);
    assert_string_equal(v->overlay.servers[0].host, "vpn.example.com");
    assert_int_equal(v->overlay.servers[0].port, 443);
    assert_int_equal(v->overlay.servers[0].transport, PROTOCOL_TCP);
    assert_string_equal(v->overlay.servers[1].host, "192.0.2.1");
    assert_int_equal(v->overlay.servers[1].port, 0);
    assert_int_equal(v->overlay.servers[1].transport, PROTOCOL_ANY_TRANSPORT);
    assert_string_equal(v->overlay.servers[2].host, "2001:db8::1");
    assert_int_equal(v->overlay.servers[2].port, 1195);
    assert_string_equal(v->overlay.servers[3].host, "2001:db8::2");
    assert_int_equal(v->overlay.servers[3].transport, PROTOCOL_UDP);
    assert_int_equal(v->overlay.proxy, PROTOCOL_PROXY_SOCKS);
    assert_string_equal(v->overlay.proxy_server.host, "10.0.0.1");
    assert_int_equal(v->overlay.proxy_server.port, 1080);
    assert_string_equal(v->overlay.username, "a b");
    assert_int_equal(v->resolver_count, 2);
    assert_int_equal(v->mtu, 1300);
    assert_true(v->ipv6);
    assert_int_equal(v->log_level, LOG_DEBUG);
    assert_string_equal(c.texts[VM_CONFIG_MTU], "1300");
    assert_null(vm_config_obstacle(&c));
}

static void wrong_values_are_named(void **state)
{
    (void)state;
    static const struct {
        enum vm_config_key key;
        const char *value;
    } wrong[] = {
        {VM_CONFIG_PROFILE, "../etc/passwd"},
        {VM_CONFIG_PROFILE, "/rw/config/work.ovpn"},
        {VM_CONFIG_PROFILE, ".hidden"},
        {VM_CONFIG_PROFILE, "work.ovpn sub/../home.ovpn"},
        {VM_CONFIG_PROFILE, "sub/.hidden"},
        {VM_CONFIG_PROFILE, "sub//home.ovpn"},
        {VM_CONFIG_PROFILE, "sub/"},
        {VM_CONFIG_PROFILE, "caf\xc3\xa9.ovpn"},
        {VM_CONFIG_PROFILE, "a b c d e f g h i"},
        {VM_CONFIG_REMOTE, "host:0"},
        {VM_CONFIG_REMOTE, "host:"},
        {VM_CONFIG_REMOTE, ":443"},
        {VM_CONFIG_REMOTE, "host:65536"},
        {VM_CONFIG_REMOTE, "host:44a"},
        {VM_CONFIG_REMOTE, "host/sctp"},
        {VM_CONFIG_REMOTE, "host/"},
        {VM_CONFIG_REMOTE, "host/tcp/udp"},
        {VM_CONFIG_REMOTE, "-host"},
        {VM_CONFIG_REMOTE, "ho$t"},
        {VM_CONFIG_REMOTE, "[192.0.2.1]:443"},
        {VM_CONFIG_REMOTE, "[2001:db8::1"},
        {VM_CONFIG_REMOTE, "[2001:db8::1]443"},
        {VM_CONFIG_REMOTE, "[2001:db8::1]:"},
        {VM_CONFIG_REMOTE, "[]:1"},
        {VM_CONFIG_REMOTE, "good.example.com b@d"},
        {VM_CONFIG_REMOTE, "a b c d e f g h i"},
        {VM_CONFIG_PROXY, "10.0.0.1:1080"},
        {VM_CONFIG_PROXY, "socks4://10.0.0.1:1080"},
        {VM_CONFIG_PROXY, "http://"},
        {VM_CONFIG_PROXY, "http://proxy"},
        {VM_CONFIG_PROXY, "http://proxy:3128/"},
        {VM_CONFIG_USERNAME, "line\nfeed"},
        {VM_CONFIG_DNS, "9.9.9.9,1.1.1.1"},
        {VM_CONFIG_DNS, "dns.example.com"},
        {VM_CONFIG_DNS, "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 "
                        "1.1.1.7 1.1.1.8 1.1.1.9"},
        {VM_CONFIG_MTU, "575"},
        {VM_CONFIG_MTU, "9001"},
        {VM_CONFIG_MTU, "1300 "
                        "bytes"},
        {VM_CONFIG_MTU, "-1"},
        {VM_CONFIG_IPV6, "maybe"},
        {VM_CONFIG_LOG_LEVEL, "chatty"},
        {VM_CONFIG_LOG_LEVEL, "3"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(takes(wrong[i].key, wrong[i].value));

    char large[VM_CONFIG_TEXT_SIZE + 1];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    for (unsigned key = 0; key < VM_CONFIG_KEY_COUNT; key++)
        assert_false(takes(key, large));
    large[256] = '\0';
    assert_false(takes(VM_CONFIG_USERNAME, large));
    assert_false(takes(VM_CONFIG_REMOTE, large));
    large[255] = '\0';
    assert_true(takes(VM_CONFIG_USERNAME, large));
    assert_true(takes(VM_CONFIG_REMOTE, large));
}

static void the_good_value_before_a_wrong_one_stays(void **state)
{
    (void)state;
    struct vm_config c = {0};
    assert_true(set(&c, VM_CONFIG_MTU, "1300"));
    assert_false(set(&c, VM_CONFIG_MTU, "13OO"));
    assert_int_equal(c.states[VM_CONFIG_MTU], VM_CONFIG_KEPT);
    assert_string_equal(c.why[VM_CONFIG_MTU],
                        "vm-config.vpn-mtu: an MTU is a number from 576 to "
                        "9000");
    assert_true(vm_config_in_force(&c, VM_CONFIG_MTU));
    assert_int_equal(c.values.mtu, 1300);
    assert_string_equal(c.texts[VM_CONFIG_MTU], "1300");

    /* A half of a list is not taken over either. */
    assert_true(set(&c, VM_CONFIG_DNS, "9.9.9.9"));
    assert_false(set(&c, VM_CONFIG_DNS, "1.1.1.1 rubbish"));
    assert_int_equal(c.values.resolver_count, 1);
    assert_int_equal(c.values.resolvers[0].bytes[0], 9);

    /* Right again, by the same value or another. */
    assert_false(set(&c, VM_CONFIG_MTU, "1300"));
    assert_int_equal(c.states[VM_CONFIG_MTU], VM_CONFIG_SET);
    assert_string_equal(c.why[VM_CONFIG_MTU], "");
    assert_true(set(&c, VM_CONFIG_MTU, "1301"));
    assert_false(set(&c, VM_CONFIG_MTU, " 1301 "));

    assert_false(set(&c, VM_CONFIG_MTU, "x"));
    assert_true(vm_config_unset(&c, VM_CONFIG_MTU));
    assert_false(vm_config_unset(&c, VM_CONFIG_MTU));
    assert_false(vm_config_in_force(&c, VM_CONFIG_MTU));
    assert_string_equal(c.why[VM_CONFIG_MTU], "");
}

static void a_wrong_value_without_one_before_opens_nothing(void **state)
{
    (void)state;
    static const enum vm_config_key deciding[] = {
        VM_CONFIG_PROFILE, VM_CONFIG_REMOTE, VM_CONFIG_PROXY};
    for (size_t i = 0; i < sizeof deciding / sizeof *deciding; i++) {
        struct vm_config c = {0};
        assert_null(vm_config_obstacle(&c));
        assert_true(set(&c, deciding[i], "/"));
        assert_ptr_equal(vm_config_obstacle(&c), c.why[deciding[i]]);
        assert_true(vm_config_unset(&c, deciding[i]));
        assert_null(vm_config_obstacle(&c));
    }

    struct vm_config c = {0};
    struct tunnel t = {
        .ipv6 = {{ADDRESS_IPV6, {0xfd}}, 64},
        .redirect_ipv6 = true,
        .mtu = 1500,
        .resolver_count = 2,
    };
    assert_true(set(&c, VM_CONFIG_IPV6, "of"));
    assert_true(set(&c, VM_CONFIG_DNS, "9.9.9"));
    assert_true(set(&c, VM_CONFIG_MTU, "big"));
    vm_config_limit(&c, &t);
    assert_int_equal(t.ipv6.address.family, ADDRESS_NONE);
    assert_false(t.redirect_ipv6);
    assert_true(t.block_ipv6);
    assert_int_equal(t.resolver_count, 0);
    assert_int_equal(t.mtu, 1500);
    assert_null(vm_config_obstacle(&c));
}

static void an_empty_value_is_none_but_for_ipv6(void **state)
{
    (void)state;
    struct vm_config c = {0};
    assert_true(set(&c, VM_CONFIG_PROFILE, "work.ovpn"));
    assert_true(set(&c, VM_CONFIG_PROFILE, ""));
    assert_int_equal(c.states[VM_CONFIG_PROFILE], VM_CONFIG_UNSET);
    assert_false(set(&c, VM_CONFIG_REMOTE, "  "));
    assert_null(vm_config_obstacle(&c));
    assert_true(set(&c, VM_CONFIG_IPV6, ""));
    assert_int_equal(c.states[VM_CONFIG_IPV6], VM_CONFIG_SET);
    assert_false(c.values.ipv6);
}

static void a_tunnel_becomes_narrower_only(void **state)
{
    (void)state;
    const struct tunnel granted = {
        .ipv6 = {{ADDRESS_IPV6, {0xfd}}, 64},
        .redirect_ipv6 = true,
        .mtu = 1400,
        .mss_mtu = 1390,
        .resolver_count = 1,
        .resolvers = {{ADDRESS_IPV4, {10, 8, 0, 1}}},
    };
    struct vm_config c = {0};
    struct tunnel t = granted;
    vm_config_limit(&c, &t);
    assert_memory_equal(&t, &granted, sizeof t);

    set(&c, VM_CONFIG_MTU, "1500");
    set(&c, VM_CONFIG_IPV6, "1");
    vm_config_limit(&c, &t);
    assert_memory_equal(&t, &granted, sizeof t);

    set(&c, VM_CONFIG_MTU, "1300");
    set(&c, VM_CONFIG_IPV6, "0");
    set(&c, VM_CONFIG_DNS, "9.9.9.9 149.112.112.112");
    vm_config_limit(&c, &t);
    assert_int_equal(t.mtu, 1300);
    assert_int_equal(t.mss_mtu, 1300);
    assert_int_equal(t.ipv6.address.family, ADDRESS_NONE);
    assert_true(t.block_ipv6);
    assert_int_equal(t.resolver_count, 2);
    assert_int_equal(t.resolvers[1].bytes[0], 149);

    t = granted;
    set(&c, VM_CONFIG_DNS, "pushed");
    vm_config_limit(&c, &t);
    assert_int_equal(t.resolver_count, 1);
    assert_int_equal(t.resolvers[0].bytes[0], 10);
    assert_false(
        vm_config_set(&c, VM_CONFIG_DNS, bytes_of_text("pushed 9.9.9.9")));
    assert_int_equal(c.states[VM_CONFIG_DNS], VM_CONFIG_KEPT);
}

static void what_is_in_force_is_put_over_a_profile(void **state)
{
    (void)state;
    struct vm_config c = {0};
    struct protocol_overlay o = vm_config_overlay(&c);
    assert_int_equal(o.server_count, 0);
    assert_int_equal(o.proxy, PROTOCOL_PROXY_NONE);
    assert_string_equal(o.username, "");

    set(&c, VM_CONFIG_REMOTE, "a.example.com b.example.com:443/tcp");
    set(&c, VM_CONFIG_PROXY, "socks5://proxy:1080");
    set(&c, VM_CONFIG_USERNAME, "alice");
    o = vm_config_overlay(&c);
    assert_int_equal(o.server_count, 2);
    assert_int_equal(o.servers[1].port, 443);
    assert_int_equal(o.proxy, PROTOCOL_PROXY_SOCKS);
    assert_string_equal(o.username, "alice");

    /* A good value stays where a wrong one follows; what is gone is gone. */
    set(&c, VM_CONFIG_USERNAME, "a\tb");
    assert_true(vm_config_unset(&c, VM_CONFIG_REMOTE));
    assert_true(vm_config_unset(&c, VM_CONFIG_PROXY));
    o = vm_config_overlay(&c);
    assert_int_equal(o.server_count, 0);
    assert_int_equal(o.proxy, PROTOCOL_PROXY_NONE);
    assert_string_equal(o.username, "alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_a_key),
        cmocka_unit_test(good_values_are_read),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(the_good_value_before_a_wrong_one_stays),
        cmocka_unit_test(a_wrong_value_without_one_before_opens_nothing),
        cmocka_unit_test(an_empty_value_is_none_but_for_ipv6),
        cmocka_unit_test(a_tunnel_becomes_narrower_only),
        cmocka_unit_test(what_is_in_force_is_put_over_a_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
