#include "gateway/process/settings.h"

#include "tests/unit.h"

enum { ARGUMENTS_MAX = 16 };

static bool parse(const char *const *words, struct settings *out)
{
    char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t) "run"};
    int argc = 1;
    const char *why = NULL;
    for (; *words; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    bool usable = settings_parse(argc, argv, out, &why);
    if (!usable)
        assert_non_null(why);
    return usable;
}

#define PARSE(out, ...) parse((const char *const[]){__VA_ARGS__, NULL}, out)

static void a_whole_command_line_is_read(void **state)
{
    (void)state;
    struct settings s;
    assert_true(PARSE(&s, "--profile", "work.ovpn", "--downstream",
                      "tap:qube0,ip=10.137.0.10,ip6=fd09::a,gw=10.138.1.7,"
                      "mac=00:16:3e:5E:6c:00",
                      "--downstream", "tap:qube1,ip=10.137.0.11", "--qubesdb",
                      "none", "--control", "/tmp/c", "-v"));
    assert_string_equal(s.profile, "work.ovpn");
    assert_string_equal(s.control, "/tmp/c");
    assert_null(s.qubesdb);
    assert_true(s.verbose);
    assert_int_equal(s.downstream_count, 2);
    assert_string_equal(s.downstreams[0].interface, "qube0");
    assert_int_equal(address_to_ipv4(&s.downstreams[0].ipv4), 0x0a89000a);
    assert_int_equal(s.downstreams[0].ipv6.family, ADDRESS_IPV6);
    assert_int_equal(address_to_ipv4(&s.downstreams[0].gateway), 0x0a8a0107);
    assert_false(address_is_set(&s.downstreams[1].gateway));
    assert_int_equal(s.downstreams[0].mac[3], 0x5e);
    assert_false(address_is_set(&s.downstreams[1].ipv6));
}

static void what_is_not_said_has_a_default(void **state)
{
    (void)state;
    struct settings s;
    assert_true(PARSE(&s, "--downstream", "tap:q,ip=192.0.2.1"));
    assert_string_equal(s.control, SETTINGS_CONTROL_DEFAULT);
    assert_string_equal(s.profiles, SETTINGS_PROFILES_DEFAULT);
    assert_string_equal(s.qubesdb, SETTINGS_QUBESDB_DEFAULT);
    assert_null(s.profile);
    assert_null(s.rules);
    assert_false(s.verbose);
}

static void a_profile_may_be_left_to_dom0_but_not_to_nobody(void **state)
{
    (void)state;
    struct settings s;
    assert_true(PARSE(&s, "--downstream", "tap:q,ip=192.0.2.1", "--qubesdb",
                      "vchan", "--profiles", "/p", "--rules", "r"));
    assert_string_equal(s.qubesdb, "vchan");
    assert_string_equal(s.profiles, "/p");
    assert_string_equal(s.rules, "r");
    assert_false(
        PARSE(&s, "--downstream", "tap:q,ip=192.0.2.1", "--qubesdb", "none"));
}

static void what_is_missing_or_unknown_is_refused(void **state)
{
    (void)state;
    struct settings s;
    assert_false(PARSE(&s, "--profile", "a"));
    assert_false(PARSE(&s, "--profile", "a", "--downstream",
                       "tap:q,ip=192.0.2.1", "extra"));
    assert_false(PARSE(&s, "--profile", "a", "--downstream",
                       "tap:q,ip=192.0.2.1", "--nonsense"));
    assert_false(PARSE(&s, "--profile"));
}

static void xen_is_one_downstream_for_all_vifs(void **state)
{
    (void)state;
    struct settings s;
    assert_true(PARSE(&s, "--profile", "a", "--downstream", "xen"));
    assert_int_equal(s.downstream_count, 1);
    assert_int_equal(s.downstreams[0].kind, DOWNSTREAM_XEN);
    assert_true(PARSE(&s, "--profile", "a", "--downstream", "xen",
                      "--downstream", "tap:q,ip=192.0.2.1"));
    assert_int_equal(s.downstreams[1].kind, DOWNSTREAM_TAP);
    assert_false(PARSE(&s, "--profile", "a", "--downstream", "xen",
                       "--downstream", "xen"));
}

static void a_vchan_has_a_domain_and_a_path(void **state)
{
    (void)state;
    struct downstream d;
    const char *why;
    assert_true(settings_parse_downstream(
        "vchan:7:data/net,ip=192.0.2.1,ip6=fd00::1,mac=00:16:3e:01:02:03", &d,
        &why));
    assert_int_equal(d.kind, DOWNSTREAM_VCHAN);
    assert_int_equal(d.domain, 7);
    assert_string_equal(d.path, "data/net");
    assert_int_equal(d.ipv4.bytes[3], 1);
    assert_int_equal(d.ipv6.family, ADDRESS_IPV6);
    assert_int_equal(d.mac[2], 0x3e);
}

static void a_vchan_that_is_named_anywhere_is_seen(void **state)
{
    (void)state;
    struct settings s;
    assert_true(PARSE(&s, "--profile", "vchan", "--downstream", "xen"));
    assert_false(settings_name_vchan(&s));
    assert_true(PARSE(&s, "--profile", "a", "--downstream",
                      "tap:vchan,ip=192.0.2.1", "--qubesdb", "none"));
    assert_false(settings_name_vchan(&s));
    assert_true(PARSE(&s, "--downstream", "xen", "--qubesdb", "vchan"));
    assert_true(settings_name_vchan(&s));
    assert_true(PARSE(&s, "--profile", "a", "--downstream", "xen",
                      "--downstream", "vchan:7:data/net,ip=192.0.2.1"));
    assert_true(settings_name_vchan(&s));
}

static void a_broken_downstream_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "tap",
        "tap:",
        "tap:,ip=192.0.2.1",
        "tap:q",
        "tap:q,ip",
        "tap:q,ip=",
        "tap:q,ip=192.0.2",
        "tap:q,ip=192.0.2.256",
        "tap:q,ip=fd00::1",
        "tap:q,ip=192.0.2.1,ip6=192.0.2.2",
        "tap:q,ip=192.0.2.1,gw=fd00::1",
        "tap:q,ip=192.0.2.1,gw=192.0.2.1",
        "tap:q,ip=192.0.2.1,gw",
        "tap:q,ip=192.0.2.1,mac=00:11:22:33:44",
        "tap:q,ip=192.0.2.1,mac=00:11:22:33:44:55:66",
        "tap:q,ip=192.0.2.1,mac=0:11:22:33:44:55",
        "tap:q,ip=192.0.2.1,colour=red",
        "tap:name-of-16-chars,ip=192.0.2.1",
        "wire:q,ip=192.0.2.1",
        "xen:q,ip=192.0.2.1",
        "xen,",
        "vchan",
        "vchan:7",
        "vchan:7,ip=192.0.2.1",
        "vchan:7:,ip=192.0.2.1",
        "vchan::data/net,ip=192.0.2.1",
        "vchan:-1:data/net,ip=192.0.2.1",
        "vchan:32752:data/net,ip=192.0.2.1",
        "vchan:7:/data/net,ip=192.0.2.1",
        "vchan:7:data/../net,ip=192.0.2.1",
        "vchan:7:data:net,ip=192.0.2.1",
        "vchan:7:data/net",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct downstream d;
        const char *why = NULL;
        assert_false(settings_parse_downstream(broken[i], &d, &why));
        assert_non_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_command_line_is_read),
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(a_profile_may_be_left_to_dom0_but_not_to_nobody),
        cmocka_unit_test(what_is_missing_or_unknown_is_refused),
        cmocka_unit_test(xen_is_one_downstream_for_all_vifs),
        cmocka_unit_test(a_vchan_has_a_domain_and_a_path),
        cmocka_unit_test(a_vchan_that_is_named_anywhere_is_seen),
        cmocka_unit_test(a_broken_downstream_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
