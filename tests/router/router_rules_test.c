#include "tests/router/world.h"

#include "gateway/base/log.h"

/* --- Rules ---------------------------------------------------------------- */

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

static const char *rules_text(struct world *w, int qube)
{
    struct router_qube_status status;
    assert_true(router_qube_status(w->router, qube, &status));
    return status.rules;
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
    assert_string_equal(rules_text(w, w->first),
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
        strstr(rules_text(w, w->first), "rule 0000: bad value: action=allow"));
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
    assert_int_equal(w->replies.count, 0);
    assert_string_equal(rules_text(w, w->first), "drop (no rules yet)");
    c.source = b;
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    assert_string_equal(rules_text(w, w->second), "1 rule, else drop");
    /* And stay when it goes and another takes its address. */
    router_remove_qube(w->router, w->second);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(router_add_qube(w->router, w->now, "c", &b, NULL),
                     w->second);
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void rules_come_from_a_file_too(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    size_t line;
    static const char text[] =
        "# of two qubes, mixed\n"
        "/qubes-firewall/10.137.0.5/policy drop\n"
        "/qubes-firewall/10.137.0.6/policy drop\n"
        "\n"
        "/qubes-firewall/10.137.0.5/0001 action=accept proto=udp\n"
        "/qubes-firewall/10.137.0.6/0000 action=drop\n"
        "/qubes-firewall/10.137.0.5/0000 action=drop dst4=192.0.2.1\n";
    assert_true(
        router_load_rules(w->router, w->now, bytes_of_text(text), &line));
    assert_string_equal(rules_text(w, w->second), "1 rule, else drop");
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "192.0.2.2"), DROP_NONE);
    assert_int_equal(up_to(w, &c, "192.0.2.1"), DROP_RULE);
    static const char *const wrong[] = {
        "/qubes-firewall/10.137.0.5/policy",
        "/qubes-firewall/10.137.0.5 drop",
        "/qubes-firewall/10.137.0/policy drop",
        "/qubes-firewall/ drop",
        "/other/10.137.0.5/policy drop",
        "x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char lines[100] = "\n\n";
        strcat(lines, wrong[i]);
        assert_false(
            router_load_rules(w->router, w->now, bytes_of_text(lines), &line));
        assert_int_equal(line, 3);
    }
    assert_string_equal(rules_text(w, w->second), "1 rule, else drop");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide_and_end_what_they_forbid),
        cmocka_unit_test(bad_rules_drop_everything_and_are_named),
        cmocka_unit_test(without_rules_nothing_passes_where_rules_are_expected),
        cmocka_unit_test(rules_come_from_a_file_too),
    };
    return cmocka_run_group_tests_name("router_rules", tests, NULL, NULL);
}
