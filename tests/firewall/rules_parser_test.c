#include "firewall/rules_parser.h"

#include <stdarg.h>

#include "tests/packet/craft.h"
#include "tests/unit.h"

static const struct instant now = {5000000};

struct set {
    struct rule_names *names;
    struct rules *rules;
};

/* Keys and values in turn, NULL at the end; each copied to the heap at its
 * exact size. */
static struct set parse(const char *source, ...)
{
    struct rules_entry entries[64];
    size_t count = 0;
    struct address a = craft_address(source);
    struct set s = {.names = calloc(1, sizeof *s.names)};
    va_list list;
    va_start(list, source);
    const char *key;
    while ((key = va_arg(list, const char *)) != NULL) {
        const char *value = va_arg(list, const char *);
        uint8_t *copy = malloc(strlen(value) + 1);
        memcpy(copy, value, strlen(value) + 1);
        copy = realloc(copy, strlen(value) ? strlen(value) : 1);
        entries[count++] = (struct rules_entry){bytes_of_text(key),
                                                bytes_of(copy, strlen(value))};
    }
    va_end(list);
    s.rules = rules_parse(&a, entries, count, s.names);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)entries[i].value.data);
    assert_non_null(s.rules);
    return s;
}

static uint32_t uses(const struct set *s)
{
    uint32_t total = 0;
    for (size_t i = 0; i < RULE_NAMES_MAX; i++)
        total += s->names->names[i].uses;
    return total;
}

static void free_set(struct set *s)
{
    rules_free(s->rules, s->names);
    s->rules = NULL;
    assert_int_equal(uses(s), 0);
    free(s->names);
}

/* One rule behind a policy of drop, for an IPv4 source. */
static bool is_good(const char *value)
{
    struct set s = parse("10.137.0.5", "policy", "drop", "0000", value, NULL);
    bool good = !s.rules->bad;
    if (!good)
        assert_non_null(strstr(s.rules->problem, "0000"));
    free_set(&s);
    return good;
}

static void what_dom0_writes_is_understood(void **state)
{
    (void)state;
    static const char *const good[] = {
        "action=accept",
        "action=drop",
        "action=accept dst4=192.0.2.0/24 proto=tcp dstports=80-443",
        "action=accept dst4=8.8.8.8 proto=udp dstports=53-53",
        "action=accept dst4=8.8.8.8/32 dstports=53",
        "action=drop dst4=0.0.0.0/0",
        "action=drop dst4=192.0.2.77/24",
        "action=accept dsthost=www.example.com proto=tcp dstports=443-443",
        "action=accept proto=icmp icmptype=8",
        "action=accept proto=icmp",
        "action=accept specialtarget=dns",
        "action=accept proto=udp specialtarget=dns dstports=53-53",
        "proto=tcp action=drop",
        "action=accept dstports=0-65535",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(is_good(good[i]));
}

static void anything_else_is_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "action=accept ",
        " action=accept",
        "action=accept  proto=tcp",
        "action=forward",
        "action=",
        "action",
        "accept",
        "proto=tcp",
        "action=accept action=accept",
        "action=accept proto=tcp proto=udp",
        "action=accept proto=sctp",
        "action=accept proto=TCP",
        "action=accept dst4=192.0.2.0/33",
        "action=accept dst4=192.0.2.0/",
        "action=accept dst4=192.0.2",
        "action=accept dst4=192.0.2.0/24/24",
        "action=accept dst4=fd00::1",
        "action=accept dst6=fd00::1",
        "action=accept dst4=192.0.2.1 dsthost=example.com",
        "action=accept dsthost=",
        "action=accept dsthost=exa mple",
        "action=accept dsthost=-a.com",
        "action=accept dsthost=a..b",
        "action=accept dstports=1-2-3 proto=tcp",
        "action=accept dstports=2-1 proto=tcp",
        "action=accept dstports=65536 proto=tcp",
        "action=accept dstports=-1 proto=tcp",
        "action=accept dstports=1- proto=tcp",
        "action=accept dstports= proto=tcp",
        "action=accept dstports=80 proto=icmp",
        "action=accept icmptype=8",
        "action=accept icmptype=8 proto=tcp",
        "action=accept icmptype=256 proto=icmp",
        "action=accept specialtarget=ntp",
        "action=accept dpi=NO",
        "action=accept comment=x",
        "action=accept\tproto=tcp",
        "action=accept\n",
        "=accept",
        "action==accept",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (is_good(bad[i]))
            fail_msg("taken: '%s'", bad[i]);
}

static void every_truncation_is_judged_without_reading_on(void **state)
{
    (void)state;
    static const char whole[] = "action=accept dsthost=a.example.org proto=tcp "
                                "dstports=1000-2000";
    char cut[sizeof whole];
    for (size_t size = 0; size < sizeof whole; size++) {
        memcpy(cut, whole, size);
        cut[size] = 0;
        (void)is_good(cut);
    }
}

static void sets_must_be_complete(void **state)
{
    (void)state;
    struct set s = parse("10.137.0.5", "0000", "action=accept", NULL);
    assert_true(s.rules->bad); /* no policy */
    assert_string_equal(s.rules->problem, "rule policy: missing");
    free_set(&s);
    s = parse("10.137.0.5", "policy", "accept", NULL);
    assert_false(s.rules->bad);
    assert_int_equal(s.rules->policy, RULE_ACCEPT);
    free_set(&s);
    static const char *const keys[] = {"000", "00000", "policies",
                                       "",    "-001",  "0x10"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        s = parse("10.137.0.5", "policy", "drop", keys[i], "action=accept",
                  NULL);
        assert_true(s.rules->bad);
        free_set(&s);
    }
    s = parse("10.137.0.5", "policy", "maybe", NULL);
    assert_true(s.rules->bad);
    free_set(&s);
    s = parse("10.137.0.5", "policy", "drop", "0001", "action=accept", "0001",
              "action=drop", NULL);
    assert_true(s.rules->bad);
    free_set(&s);
    s = parse("10.137.0.5", "policy", "drop", "0000",
              "action=accept dsthost=a.org", "0001", "action=accept x", NULL);
    assert_true(s.rules->bad);
    assert_int_equal(uses(&s), 0);
    assert_string_equal(s.rules->problem,
                        "rule 0001: not of the form key=value: x");
    free_set(&s);
}

static struct rules_question question(const char *destination, uint8_t protocol,
                                      uint16_t port)
{
    struct address a = craft_address(destination);
    return (struct rules_question){
        .family = (uint8_t)a.family,
        .protocol = protocol,
        .icmp_type = a.family == ADDRESS_IPV4 ? 8 : 128,
        .port = port,
        .destination = a,
        .asked = a,
        .accepted_by = RULES_NO_RULE,
    };
}

static enum drop judge(const struct set *s, const char *destination,
                       uint8_t protocol, uint16_t port)
{
    struct rules_question q = question(destination, protocol, port);
    return rules_judge(s->rules, s->names, now, &q).drop;
}

static void the_first_match_decides_by_number(void **state)
{
    (void)state;
    struct set s =
        parse("10.137.0.5", "0020", "action=drop", "policy", "accept", "0003",
              "action=drop dst4=192.0.2.7 proto=tcp", "0010",
              "action=accept dst4=192.0.2.0/24", NULL);
    assert_int_equal(judge(&s, "192.0.2.7", IP_TCP, 80), DROP_RULE);
    assert_int_equal(judge(&s, "192.0.2.7", IP_UDP, 80), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.2.8", IP_TCP, 80), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.3.8", IP_TCP, 80), DROP_RULE);
    free_set(&s);
    s = parse("10.137.0.5", "policy", "accept", "0000",
              "action=drop dstports=100-200", "0001", "action=drop proto=icmp",
              NULL);
    assert_int_equal(judge(&s, "192.0.2.7", IP_TCP, 99), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.2.7", IP_TCP, 100), DROP_RULE);
    assert_int_equal(judge(&s, "192.0.2.7", IP_UDP, 200), DROP_RULE);
    assert_int_equal(judge(&s, "192.0.2.7", IP_UDP, 201), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.2.7", IP_ICMP, 0), DROP_RULE);
    free_set(&s);
    s = parse("10.137.0.5", "policy", "drop", "0000",
              "action=accept proto=icmp icmptype=8", "0001",
              "action=accept dst4=192.0.2.7 dstports=80", NULL);
    assert_int_equal(judge(&s, "192.0.2.1", IP_ICMP, 0), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.2.7", 132, 80), DROP_RULE);
    free_set(&s);
    assert_int_equal(
        rules_judge(NULL, NULL, now, &(struct rules_question){0}).drop,
        DROP_NO_RULES);
}

static void ipv6_rules_are_for_ipv6(void **state)
{
    (void)state;
    struct set s = parse("fd09::5", "policy", "drop", "0000",
                         "action=accept dst6=2001:db8::/32 proto=tcp", "0001",
                         "action=accept proto=icmp icmptype=128", NULL);
    assert_false(s.rules->bad);
    assert_int_equal(judge(&s, "2001:db8::1", IP_TCP, 1), DROP_NONE);
    assert_int_equal(judge(&s, "2001:db9::1", IP_TCP, 1), DROP_RULE);
    assert_int_equal(judge(&s, "2001:db9::1", IP_ICMPV6, 0), DROP_NONE);
    assert_int_equal(judge(&s, "2001:db9::1", IP_ICMP, 0), DROP_RULE);
    free_set(&s);
    s = parse("fd09::5", "policy", "drop", "0000",
              "action=accept dst4=192.0.2.1", NULL);
    assert_true(s.rules->bad);
    free_set(&s);
}

static void dns_is_a_target_of_its_own(void **state)
{
    (void)state;
    struct set s = parse("10.137.0.5", "policy", "drop", "0000",
                         "action=drop dst4=10.139.1.1", "0001",
                         "action=accept specialtarget=dns proto=udp", NULL);
    struct rules_question q = question("9.9.9.9", IP_UDP, 53);
    q.asked = craft_address("10.139.1.1");
    q.to_resolver = true;
    assert_int_equal(rules_judge(s.rules, s.names, now, &q).drop, DROP_NONE);
    q.protocol = IP_TCP;
    assert_int_equal(rules_judge(s.rules, s.names, now, &q).drop, DROP_RULE);
    q.protocol = IP_UDP;
    q.port = 54;
    assert_int_equal(rules_judge(s.rules, s.names, now, &q).drop, DROP_RULE);
    q.port = 53;
    q.to_resolver = false;
    assert_int_equal(rules_judge(s.rules, s.names, now, &q).drop, DROP_RULE);
    free_set(&s);
    s = parse("10.137.0.5", "policy", "drop", "0000",
              "action=accept dst4=10.139.1.1", NULL);
    q.to_resolver = true;
    assert_int_equal(rules_judge(s.rules, s.names, now, &q).drop, DROP_NONE);
    free_set(&s);
    s = parse("10.137.0.5", "policy", "drop", "0000",
              "action=accept specialtarget=dns dstports=54", NULL);
    assert_int_equal(rules_judge(s.rules, s.names, now, &q).drop, DROP_RULE);
    free_set(&s);
}

static void a_name_matches_once_it_is_known(void **state)
{
    (void)state;
    struct set s = parse("10.137.0.5", "policy", "drop", "0000",
                         "action=accept dsthost=www.Example.org", NULL);
    uint16_t name;
    enum address_family family;
    struct instant again = {now.us + 5000000};
    struct address answers[] = {craft_address("192.0.2.1"),
                                craft_address("192.0.2.2")};
    assert_int_equal(judge(&s, "192.0.2.1", IP_TCP, 1), DROP_RULE);
    assert_true(rule_names_next(s.names, now, again, &name, &family));
    assert_int_equal(family, ADDRESS_IPV4);
    assert_string_equal(s.names->names[name].text, "www.Example.org");
    struct instant late = now;
    assert_false(rule_names_next(s.names, late, again, &name, &family));
    rule_names_answer(s.names, now, 0, ADDRESS_IPV4, answers, 2, 100);
    assert_int_equal(judge(&s, "192.0.2.1", IP_TCP, 1), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.2.2", IP_TCP, 1), DROP_NONE);
    assert_int_equal(judge(&s, "192.0.2.3", IP_TCP, 1), DROP_RULE);
    assert_int_equal(rule_names_deadline(s.names).us, now.us + 100000000);
    struct rules_question q = question("192.0.2.1", IP_TCP, 1);
    struct instant then = {now.us + 699999999};
    assert_int_equal(rules_judge(s.rules, s.names, then, &q).drop, DROP_NONE);
    then.us++;
    assert_int_equal(rules_judge(s.rules, s.names, then, &q).drop, DROP_RULE);
    free_set(&s);
}

static void failures_are_asked_again_less_and_less(void **state)
{
    (void)state;
    struct rule_names *n = calloc(1, sizeof *n);
    uint16_t name = rule_names_use(n, bytes_of_text("a.b"), ADDRESS_IPV6);
    static const int pauses[] = {2, 4, 8, 16, 32, 60, 60, 60};
    struct instant t = now;
    for (size_t i = 0; i < 8; i++) {
        rule_names_failed(n, t, name, ADDRESS_IPV6, RULE_NAME_SILENT);
        assert_int_equal(rule_names_deadline(n).us, t.us + pauses[i] * 1000000);
        t = rule_names_deadline(n);
    }
    rule_names_hurry(n, t, false);
    assert_int_equal(rule_names_deadline(n).us, t.us);
    rule_names_drop_use(n, name);
    assert_true(instant_is_never(rule_names_deadline(n)));
    free(n);
}

static void many_addresses_push_out_the_oldest(void **state)
{
    (void)state;
    struct rule_names *n = calloc(1, sizeof *n);
    uint16_t name = rule_names_use(n, bytes_of_text("cdn.net"), ADDRESS_IPV4);
    for (uint32_t i = 0; i < 200; i++) {
        struct address a = address_ipv4(0x0a000000 + i);
        rule_names_answer(n, (struct instant){(int64_t)i * 1000000}, name,
                          ADDRESS_IPV4, &a, 1, 600);
    }
    struct instant last = {199 * 1000000};
    for (uint32_t i = 0; i < 200; i++) {
        struct address a = address_ipv4(0x0a000000 + i);
        assert_int_equal(rule_names_has(n, name, &a, last),
                         i >= 200 - RULE_NAMES_ADDRESSES);
    }
    free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_dom0_writes_is_understood),
        cmocka_unit_test(anything_else_is_bad),
        cmocka_unit_test(every_truncation_is_judged_without_reading_on),
        cmocka_unit_test(sets_must_be_complete),
        cmocka_unit_test(the_first_match_decides_by_number),
        cmocka_unit_test(ipv6_rules_are_for_ipv6),
        cmocka_unit_test(dns_is_a_target_of_its_own),
        cmocka_unit_test(a_name_matches_once_it_is_known),
        cmocka_unit_test(failures_are_asked_again_less_and_less),
        cmocka_unit_test(many_addresses_push_out_the_oldest),
    };
    return cmocka_run_group_tests_name("rules_parser", tests, NULL, NULL);
}
