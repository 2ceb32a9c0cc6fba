#include "tests/router/world.h"

#include <stdio.h>

#include "gateway/base/log.h"

/* --- Rules --------------------------------------------------------------- */

static void set_rules(struct world *w, const char *source, const char *policy,
                      const char *rule)
{
    struct address a = craft_address(source);
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text(policy)},
        {bytes_of_text("0000"), bytes_of_text(rule)},
    };
    router_set_rules(w->router, w->now, &a, entries, rule[0] ? 2 : 1);
}

static void rules_decide_and_end_what_they_forbid(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17), dns = sample(false, 17);
    dns.destination_port = 53;
    open_flow(w, &c);
    struct packet back = echoed(w);
    assert_int_equal(up_to(w, &dns, "10.139.1.1"), DROP_NONE);
    assert_int_equal(router_flow_count(w->router), 2);

    set_rules(w, "10.137.0.5", "drop", "action=accept specialtarget=dns");
    assert_int_equal(router_flow_count(w->router), 1);
    assert_int_equal(down(w, back), DROP_NO_FLOW);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    expect_error(w, 3, 13);
    assert_int_equal(up_to(w, &dns, "10.139.1.2"), DROP_NONE);

    /* Other addresses have no rules and, here, no need of any. */
    struct craft c6 = sample(true, 17), other = sample(false, 17);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NONE);
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    set_rules(w, "fd09:24ef:4179::a89:5", "drop", "");
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_RULE);
    expect_error(w, 1, 1);
    assert_string_equal(w->first->rules_text,
                        "1 rule, else drop; IPv6: 0 rules, else drop");

    struct address a = craft_address("10.137.0.5");
    router_forget_rules(w->router, w->now, &a);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void bad_rules_drop_everything_and_are_named(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    log_set_level(LOG_ERROR);
    set_rules(w, "10.137.0.5", "accept", "action=allow");
    log_set_level(LOG_INFO);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_BAD_RULES);
    expect_error(w, 3, 13);
    assert_non_null(
        strstr(w->first->rules_text, "rule 0000: bad value: action=allow"));
    set_rules(w, "10.137.0.5", "accept", "");
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void without_rules_nothing_passes_where_rules_are_expected(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    struct router_options options = {.flows = 64};
    w->router = router_new(&options);
    w->now = (struct instant){1000000};
    w->tunnel = (struct tunnel){.ipv4 = {craft_address("10.8.0.2"), 24},
                                .mtu = 1500,
                                .redirect_ipv4 = true};
    assert_true(packet_batch_init(&w->replies, 8, 2048));
    router_tunnel_up(w->router, w->now, &w->tunnel);
    /* They may come before their qube. */
    set_rules(w, "10.137.0.6", "drop", "action=accept");
    struct address a = craft_address("10.137.0.5"),
                   b = craft_address("10.137.0.6");
    w->first = router_add_qube(w->router, w->now, "a", &a, NULL);
    w->second = router_add_qube(w->router, w->now, "b", &b, NULL);
    struct craft c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_RULES);
    expect_error(w, 3, 13);
    assert_string_equal(w->first->rules_text, "drop (no rules yet)");
    c.source = b;
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    assert_string_equal(w->second->rules_text, "1 rule, else drop");
    /* And stay when it goes and another takes its address. */
    router_remove_qube(w->router, w->second);
    assert_int_equal(router_flow_count(w->router), 0);
    w->second = router_add_qube(w->router, w->now, "c", &b, NULL);
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static bool load(struct world *w, const char *text,
                 struct router_rules_problem *problem)
{
    return router_load_rules(w->router, w->now, bytes_of_text(text), problem);
}

static void rules_come_from_a_file_too(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct router_rules_problem problem;
    static const char text[] =
        "# of two qubes, mixed\n"
        "/qubes-firewall/10.137.0.5/policy drop\n"
        "/qubes-firewall/10.137.0.6/policy drop\n"
        "\n"
        "/qubes-firewall/10.137.0.5/0001 action=accept proto=udp\n"
        "/qubes-firewall/10.137.0.6/0000 action=drop\n"
        "/qubes-firewall/10.137.0.5/0000 action=drop dst4=192.0.2.1\n";
    assert_true(load(w, text, &problem));
    assert_string_equal(w->second->rules_text, "1 rule, else drop");
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "192.0.2.2"), DROP_NONE);
    assert_int_equal(up_to(w, &c, "192.0.2.1"), DROP_RULE);
    world_free(w);
}

#define FILE_LINE "/qubes-firewall/10.137.0.5/"

/* A file that is not right is not taken, not even in part, and the line is
 * told. */
static void a_broken_file_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
        const char *why;
    } cases[] = {
        {"\n\n" FILE_LINE "policy\n", 3, "a line is"},
        {"\n\n/qubes-firewall/10.137.0.5 drop\n", 3, "a line is"},
        {"\n/qubes-firewall/10.137.0/policy drop\n", 2, "a line is"},
        {"/qubes-firewall/ drop\n", 1, "a line is"},
        {"/other/10.137.0.5/policy drop\n", 1, "a line is"},
        {"#\nx", 2, "a line is"},
        {FILE_LINE "policy accept\n" FILE_LINE "0000 action=allow\n"
                   "/qubes-firewall/10.137.0.6/policy accept\n",
         2, "10.137.0.5: rule 0000: bad value: action=allow"},
        {"/qubes-firewall/10.137.0.6/policy accept\n" FILE_LINE
         "0000 action=accept\n" FILE_LINE "0001 action=accept\n",
         3, "10.137.0.5: rule policy: missing"},
        {FILE_LINE "0000 action=accept\n" FILE_LINE
                   "0001 action=accept\n" FILE_LINE
                   "0000 action=accept\n" FILE_LINE "policy drop\n",
         3, "10.137.0.5: rule 0000: given twice"},
        {FILE_LINE "policy drop\n" FILE_LINE "policy drop\n", 2,
         "10.137.0.5: rule policy: given twice"},
    };
    struct world *w = world_new(64);
    struct router_rules_problem problem;
    struct craft c = sample(false, 17);
    assert_true(load(w,
                     FILE_LINE "policy accept\n" FILE_LINE
                               "0000 action=drop dst4=192.0.2.1\n",
                     &problem));
    open_flow(w, &c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(load(w, cases[i].text, &problem));
        assert_int_equal(problem.line, cases[i].line);
        assert_non_null(strstr(problem.text, cases[i].why));
        assert_int_equal(router_flow_count(w->router), 1);
        assert_non_null(strstr(w->first->rules_text, "1 rule, else accept;"));
        assert_string_equal(w->second->rules_text,
                            "accept (no rules configured)");
    }
    world_free(w);
}

static void a_file_may_be_read_again(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct router_rules_problem problem;
    struct craft c = sample(false, 17), other = sample(false, 17);
    other.source = craft_address("10.137.0.6");
    assert_true(load(w,
                     FILE_LINE "policy accept\n"
                               "/qubes-firewall/10.137.0.6/policy drop\n",
                     &problem));
    open_flow(w, &c);
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_RULE);

    /* Flows are judged again; what is not in the file any more is gone. */
    assert_true(load(w, FILE_LINE "policy drop\n", &problem));
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    assert_string_equal(w->second->rules_text, "accept (no rules configured)");

    /* dom0's word on an address counts, before and after. */
    set_rules(w, "10.137.0.5", "accept", "");
    assert_true(load(w,
                     FILE_LINE "policy drop\n"
                               "/qubes-firewall/10.137.0.6/policy accept\n",
                     &problem));
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    set_rules(w, "10.137.0.6", "drop", "");
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_RULE);
    assert_true(load(w, "", &problem));
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    /* And it takes back only what it has said. */
    assert_true(load(w,
                     "/qubes-firewall/10.137.0.7/policy drop\n"
                     "/qubes-firewall/10.137.0.5/policy drop\n",
                     &problem));
    struct address a = craft_address("10.137.0.7");
    router_forget_rules(w->router, w->now, &a);
    struct qube *third = router_add_qube(w->router, w->now, "third", &a, NULL);
    assert_string_equal(third->rules_text, "0 rules, else drop");
    world_free(w);
}

/* As many addresses as there may be, and then as many others. */
static void a_file_may_be_replaced_by_one_as_large(void **state)
{
    (void)state;
    enum { LINE = 64 };
    struct world *w = world_new(64);
    struct router_rules_problem problem;
    char *text = malloc(RULES_SOURCES_MAX * LINE + 1);
    for (int file = 1; file <= 2; file++) {
        size_t at = 0;
        for (int i = 0; i < RULES_SOURCES_MAX; i++)
            at += (size_t)snprintf(text + at, LINE + 1,
                                   "/qubes-firewall/10.%d.%d.%d/policy drop\n",
                                   file, i / 256, i % 256);
        assert_true(load(w, text, &problem));
        struct address last = craft_address("10.0.7.255");
        last.bytes[1] = (uint8_t)file;
        struct qube *qube =
            router_add_qube(w->router, w->now, "last", &last, NULL);
        assert_string_equal(qube->rules_text, "0 rules, else drop");
    }
    free(text);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide_and_end_what_they_forbid),
        cmocka_unit_test(bad_rules_drop_everything_and_are_named),
        cmocka_unit_test(without_rules_nothing_passes_where_rules_are_expected),
        cmocka_unit_test(rules_come_from_a_file_too),
        cmocka_unit_test(a_broken_file_changes_nothing),
        cmocka_unit_test(a_file_may_be_read_again),
        cmocka_unit_test(a_file_may_be_replaced_by_one_as_large),
    };
    return cmocka_run_group_tests_name("router_rules", tests, NULL, NULL);
}
