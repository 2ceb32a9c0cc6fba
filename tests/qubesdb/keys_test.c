#include "qubesdb/keys.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "qubesdb/rule_tree.h"
#include "tests/unit.h"

static unsigned warnings;

static void count_warnings(void *context, enum log_level level,
                           const char *line)
{
    (void)context;
    assert_non_null(strstr(line, "qubesdb: "));
    warnings += level == LOG_WARN;
}

static void set(struct store *s, const char *path, const char *value)
{
    assert_true(store_set(s, path, bytes_of_text(value)));
}

static struct address address(const char *text)
{
    struct address a;
    assert_true(address_parse(bytes_of_text(text), &a));
    return a;
}

static void assert_address(const struct address *a, const char *expected)
{
    char text[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_format(a, text), expected);
}

/* As core-admin 4.3 writes them. */
static void own_addresses_are_read(void **state)
{
    (void)state;
    struct store s = {0};
    struct keys_own own;
    set(&s, "/name", "sys-vpn");
    set(&s, "/type", "AppVM");
    set(&s, "/qubes-ip", "10.137.0.5");
    set(&s, "/qubes-ip6", "fd09:24ef:4179::a89:5");
    set(&s, "/qubes-gateway", "10.138.1.1");
    set(&s, "/qubes-gateway6", "fe80::fcff:ffff:feff:ffff");
    set(&s, "/qubes-primary-dns", "10.139.1.1");
    set(&s, "/qubes-secondary-dns", "10.139.1.2");
    set(&s, "/qubes-netvm-network", "10.137.0.5");
    set(&s, "/qubes-netvm-gateway", "10.137.0.5");
    set(&s, "/qubes-netvm-gateway6", "fd09:24ef:4179::a89:5");
    set(&s, "/qubes-netvm-netmask", "255.255.255.255");
    set(&s, "/qubes-netvm-primary-dns", "10.139.1.1");
    set(&s, "/qubes-netvm-secondary-dns", "10.139.1.2");
    keys_own(&s, &own);
    assert_string_equal(own.name, "sys-vpn");
    assert_int_equal(own.type, KEYS_VM_APP);
    assert_address(&own.ip, "10.137.0.5");
    assert_address(&own.ip6, "fd09:24ef:4179::a89:5");
    assert_address(&own.gateway, "10.138.1.1");
    assert_address(&own.gateway6, "fe80::fcff:ffff:feff:ffff");
    assert_address(&own.dns[0], "10.139.1.1");
    assert_address(&own.dns[1], "10.139.1.2");
    assert_true(own.provides_network);
    assert_address(&own.netvm_gateway, "10.137.0.5");
    assert_address(&own.netvm_gateway6, "fd09:24ef:4179::a89:5");
    assert_address(&own.netvm_dns[0], "10.139.1.1");
    assert_address(&own.netvm_dns[1], "10.139.1.2");
    store_clear(&s);
}

static void what_is_absent_or_malformed_is_unset(void **state)
{
    (void)state;
    struct store s = {0};
    struct keys_own own;
    keys_own(&s, &own);
    assert_int_equal(own.type, KEYS_VM_UNKNOWN);
    assert_false(address_is_set(&own.ip));
    assert_false(own.provides_network);

    warnings = 0;
    set(&s, "/qubes-ip", "10.137.0.300");
    set(&s, "/qubes-gateway", "fd09::1");
    set(&s, "/qubes-ip6", "10.137.0.5");
    set(&s, "/qubes-netvm-gateway", "");
    set(&s, "/qubes-netvm-network", "");
    set(&s, "/type", "AdminVM");
    set(&s, "/name",
        "a-name-that-is-much-longer-than-any-name-a-qube-can-have-in-qubes-os");
    keys_own(&s, &own);
    assert_false(address_is_set(&own.ip));
    assert_false(address_is_set(&own.gateway));
    assert_false(address_is_set(&own.ip6));
    assert_false(address_is_set(&own.netvm_gateway));
    assert_false(own.provides_network);
    assert_int_equal(own.type, KEYS_VM_UNKNOWN);
    assert_string_equal(own.name, "");
    assert_int_equal(warnings, 4);
    store_clear(&s);
}

static void connected_qubes_are_known(void **state)
{
    (void)state;
    struct store s = {0};
    struct address a = address("10.137.0.21");
    assert_true(keys_is_connected(&s, &a)); /* not said yet */

    set(&s, "/connected-ips", "10.137.0.20 rubbish  10.137.0.21");
    set(&s, "/connected-ips6", "");
    assert_true(keys_is_connected(&s, &a));
    a = address("10.137.0.2");
    assert_false(keys_is_connected(&s, &a));
    a = address("fd09::1");
    assert_false(keys_is_connected(&s, &a));
    store_clear(&s);
}

static void mapped_addresses_are_of_the_same_family(void **state)
{
    (void)state;
    struct store s = {0};
    struct keys_mapped mapped;
    struct address real = address("10.137.0.20");
    set(&s, "/mapped-ip/10.137.0.20/visible-ip", "192.168.1.2");
    set(&s, "/mapped-ip/10.137.0.20/visible-gateway", "192.168.1.1");
    set(&s, "/mapped-ip/10.137.0.21/visible-ip", "fd09::1");
    keys_mapped(&s, &real, &mapped);
    assert_address(&mapped.visible_ip, "192.168.1.2");
    assert_address(&mapped.visible_gateway, "192.168.1.1");
    real = address("10.137.0.21");
    keys_mapped(&s, &real, &mapped);
    assert_false(address_is_set(&mapped.visible_ip));
    assert_false(address_is_set(&mapped.visible_gateway));
    real = address("1111:2222:3333:4444:5555:6666:7777:8888");
    keys_mapped(&s, &real, &mapped);
    assert_false(address_is_set(&mapped.visible_ip));
    assert_true(keys_mapped_source("/mapped-ip/10.137.0.20/visible-ip", &real));
    assert_address(&real, "10.137.0.20");
    assert_true(keys_mapped_source("/mapped-ip/10.137.0.21/x", &real));
    assert_false(keys_mapped_source("/mapped-ip/nobody/visible-ip", &real));
    assert_false(keys_mapped_source("/mapped-ip/", &real));
    assert_false(keys_mapped_source("/qubes-ip", &real));
    store_clear(&s);
}

static void settings_of_the_qube_are_text(void **state)
{
    (void)state;
    struct store s = {0};
    struct bytes value;
    set(&s, "/vm-config/vpn-mtu", "1300");
    set(&s, "/vm-config/empty", "");
    assert_true(keys_vm_config(&s, "vpn-mtu", &value));
    assert_int_equal(value.size, 4);
    assert_true(keys_vm_config(&s, "empty", &value));
    assert_int_equal(value.size, 0);
    assert_false(keys_vm_config(&s, "vpn-mt", &value));
    assert_string_equal(keys_vm_config_name("/vm-config/vpn-mtu"), "vpn-mtu");
    assert_null(keys_vm_config_name("/vm-config/"));
    assert_null(keys_vm_config_name("/qubes-service/x"));
    assert_false(keys_vm_config(
        &s,
        "a-name-that-does-not-fit-into-any-path-of-qubesdb-because-it-is-"
        "too-long",
        &value));
    store_clear(&s);
}

static void paths_of_rules_are_told_apart(void **state)
{
    (void)state;
    char base[MESSAGE_PATH_SIZE];
    static const struct {
        const char *path;
        enum keys_rules kind;
        const char *base;
    } cases[] = {
        {"/qubes-firewall/10.137.0.1", KEYS_RULES_BASE,
         "/qubes-firewall/10.137.0.1"},
        {"/qubes-firewall/10.137.0.1/", KEYS_RULES_PART,
         "/qubes-firewall/10.137.0.1"},
        {"/qubes-firewall/10.137.0.1/0000", KEYS_RULES_PART,
         "/qubes-firewall/10.137.0.1"},
        {"/qubes-firewall/10.137.0.1/0000/x", KEYS_RULES_PART,
         "/qubes-firewall/10.137.0.1"},
        {"/qubes-firewall/", KEYS_NO_RULES, NULL},
        {"/qubes-firewall", KEYS_NO_RULES, NULL},
        {"/qubes-firewall-handled/10.137.0.1", KEYS_NO_RULES, NULL},
        {"/", KEYS_NO_RULES, NULL},
        {"", KEYS_NO_RULES, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(keys_rules_of(cases[i].path, base), cases[i].kind);
        if (cases[i].base)
            assert_string_equal(base, cases[i].base);
    }
}

static void a_source_is_written_in_one_way_only(void **state)
{
    (void)state;
    struct address a;
    assert_true(keys_rules_source("/qubes-firewall/10.137.0.1", &a));
    assert_address(&a, "10.137.0.1");
    assert_true(keys_rules_source("/qubes-firewall/fd09:24ef::a89:5", &a));
    static const char *const refused[] = {
        "/qubes-firewall/10.137.0.01",    "/qubes-firewall/10.137.1",
        "/qubes-firewall/fd09:24EF::1",   "/qubes-firewall/fd09:0:0::1",
        "/qubes-firewall/10.137.0.1/32",  "/qubes-firewall/",
        "/qubes-firewall/sys-vpn",        "/mapped-ip/10.137.0.1",
        "/qubes-firewall/0:0:0:0:0:0:0:1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(keys_rules_source(refused[i], &a));
}

static void handled_rules_have_a_number(void **state)
{
    (void)state;
    struct store s = {0};
    char path[MESSAGE_PATH_SIZE];
    struct address longest = address("1111:2222:3333:4444:5555:6666:7777:8888");
    keys_handled_path(&longest, path);
    assert_string_equal(path, "/qubes-firewall-handled/"
                              "1111:2222:3333:4444:5555:6666:7777:8888");
    assert_true(message_path_valid(path));
    assert_int_equal(keys_handled(&s, &longest), 0);
    set(&s, path, "17");
    assert_int_equal(keys_handled(&s, &longest), 17);
    set(&s, path, "-1");
    assert_int_equal(keys_handled(&s, &longest), 0);
    set(&s, path, "99999999999");
    assert_int_equal(keys_handled(&s, &longest), 0);
    store_clear(&s);
}

static void what_is_wanted_is_known(void **state)
{
    (void)state;
    assert_true(keys_wanted("/qubes-ip"));
    assert_false(keys_wanted("/qubes-ip7"));
    assert_true(keys_wanted("/connected-ips6"));
    assert_true(keys_wanted("/vm-config/x"));
    assert_false(keys_wanted("/vm-config"));
    assert_false(keys_wanted("/qubes-random-seed"));
    assert_true(keys_is_own("/qubes-ip"));
    assert_false(keys_is_own("/vm-config/vpn-mtu"));
    assert_false(keys_is_own("/vm-config/x"));
    assert_true(keys_wanted_below("/"));
    assert_true(keys_wanted_below("/vm-config/"));
    assert_true(keys_wanted_below("/mapped-ip/10.137.0.1/"));
    assert_false(keys_wanted_below("/qubes-usb-devices/"));
}

static void a_tree_is_lifted_out_of_its_neighbours(void **state)
{
    (void)state;
    struct store s = {0};
    struct rule_tree tree;
    static const char *const paths[] = {
        "/qubes-firewall/10.137.0.1/policy", "/qubes-firewall/10.137.0.1/0010",
        "/qubes-firewall/10.137.0.1/0002",   "/qubes-firewall/10.137.0.1",
        "/qubes-firewall/10.137.0.10/0000",  "/qubes-firewall/10.137.0.10",
        "/qubes-firewall/10.137.0.0/0000",   "/qubes-firewall/10.137.0.2",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        set(&s, paths[i], paths[i]);
    assert_true(rule_tree_read(&tree, &s, "/qubes-firewall/10.137.0.1"));
    assert_true(tree.present);
    assert_int_equal(tree.count, 3);
    assert_string_equal(tree.lines[0].name, "0002");
    assert_string_equal(tree.lines[1].name, "0010");
    assert_string_equal(tree.lines[2].name, "policy");
    assert_int_equal(tree.lines[0].value.size, strlen(paths[2]));
    rule_tree_clear(&tree);

    assert_true(rule_tree_read(&tree, &s, "/qubes-firewall/10.137.0.2"));
    assert_true(tree.present);
    assert_int_equal(tree.count, 0);
    rule_tree_clear(&tree);
    assert_true(rule_tree_read(&tree, &s, "/qubes-firewall/10.137.0.0"));
    assert_false(tree.present);
    assert_int_equal(tree.count, 0);
    rule_tree_clear(&tree);
    assert_false(rule_tree_read(&tree, &s, "/qubes-firewall/x"));
    store_clear(&s);
}

static void a_store_stays_sorted_and_bounded(void **state)
{
    (void)state;
    struct store s = {0};
    static uint8_t large[MESSAGE_DATA_MAX];
    char path[MESSAGE_PATH_SIZE];
    unsigned i = 0;

    memset(large, 'x', sizeof large);
    for (; i < 10000; i++) {
        snprintf(path, sizeof path, "/%u", i * 7919 % 10007);
        if (!store_set(&s, path, bytes_of(large, sizeof large)))
            break;
    }
    assert_in_range(i, 600, 700); /* of 3 KiB each within 2 MiB */
    assert_int_equal(s.count, i);
    assert_false(store_has(&s, path));
    for (size_t j = 1; j < s.count; j++)
        assert_true(strcmp(s.entries[j - 1]->path, s.entries[j]->path) < 0);
    /* Replacing needs no more room, and removing gives it back. */
    assert_true(store_set(&s, s.entries[0]->path, bytes_of(large, 1)));
    while (s.count) {
        memcpy(path, s.entries[s.count / 2]->path, sizeof path);
        assert_true(store_remove(&s, path));
        assert_false(store_remove(&s, path));
    }
    assert_int_equal(s.cost, 0);
    store_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_addresses_are_read),
        cmocka_unit_test(what_is_absent_or_malformed_is_unset),
        cmocka_unit_test(connected_qubes_are_known),
        cmocka_unit_test(mapped_addresses_are_of_the_same_family),
        cmocka_unit_test(settings_of_the_qube_are_text),
        cmocka_unit_test(paths_of_rules_are_told_apart),
        cmocka_unit_test(a_source_is_written_in_one_way_only),
        cmocka_unit_test(handled_rules_have_a_number),
        cmocka_unit_test(what_is_wanted_is_known),
        cmocka_unit_test(a_tree_is_lifted_out_of_its_neighbours),
        cmocka_unit_test(a_store_stays_sorted_and_bounded),
    };
    log_set_sink(count_warnings, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
