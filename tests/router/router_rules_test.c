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

/* --- Host names in rules -------------------------------------------------- */

/* A resolver's answer to the question in `question`, with one address. */
static struct packet resolver_answer(const struct packet *question,
                                     const char *address)
{
    static uint8_t message[600];
    const uint8_t *udp = question->data + 20;
    size_t size = load_u16(udp + 4) - 8u, end = 12;
    memcpy(message, udp + 8, size);
    while (message[end])
        end += message[end] + 1u;
    end += 5;
    message[2] = 0x81;
    message[3] = 0x80;
    store_u16(message + 6, 1);
    store_u16(message + 10, 0); /* no OPT in the answer */
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
    memcpy(message + end, record, sizeof record);
    struct address a = craft_address(address);
    memcpy(message + end + sizeof record, a.bytes, 4);
    struct craft c = {
        .source = address_from_bytes(ADDRESS_IPV4, question->data + 16),
        .destination = address_from_bytes(ADDRESS_IPV4, question->data + 12),
        .protocol = 17,
        .source_port = 53,
        .destination_port = load_u16(udp),
        .payload = bytes_of(message, end + sizeof record + 4),
    };
    return craft_packet(&c);
}

/* How many questions are asked now; the first is own->packets[0]. */
static unsigned ask(struct world *w, struct packet_batch *own)
{
    packet_batch_reset(own);
    router_own_packets(w->router, w->now, own);
    return own->count;
}

static void names_in_rules_are_resolved_through_the_tunnel(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    assert_true(packet_batch_init(&own, 16, 1024));
    assert_int_equal(ask(w, &own), 0);
    set_rules(w, "10.137.0.5", "drop", "action=accept dsthost=www.example.org");
    struct craft c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    assert_true(router_deadline(w->router).us <= w->now.us);

    struct packet *question = &own.packets[0];
    assert_int_equal(ask(w, &own), 1);
    assert_true(craft_checksums_right(question->data, question->size));
    assert_memory_equal(question->data + 12, w->tunnel.ipv4.address.bytes, 4);
    assert_memory_equal(question->data + 16, w->tunnel.resolvers[0].bytes, 4);
    assert_true(router_deadline(w->router).us > w->now.us);
    struct packet late = resolver_answer(question, "198.51.100.9");
    struct packet forged = resolver_answer(question, "198.51.100.9");
    forged.data[28] ^= 1; /* another number; the checksum is then wrong too */
    store_u16(forged.data + 26, 0);
    assert_int_equal(down(w, forged), DROP_NO_FLOW);

    /* Silence: the second resolver is asked. */
    w->now.us += 2000000;
    assert_int_equal(ask(w, &own), 1);
    assert_memory_equal(question->data + 16, w->tunnel.resolvers[1].bytes, 4);
    assert_int_equal(down(w, late), DROP_NO_FLOW);
    struct packet answer = resolver_answer(question, "198.51.100.7");
    struct packet again = resolver_answer(question, "198.51.100.9");
    assert_int_equal(down(w, answer), DROP_ANSWERED);
    assert_int_equal(down(w, again), DROP_NO_FLOW);
    assert_int_equal(ask(w, &own), 0);

    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_RULE);
    /* Asked again after its time to live, and when the tunnel is back, if it
     * had failed. */
    w->now.us += 60000000;
    assert_int_equal(ask(w, &own), 1);
    router_tunnel_down(w->router, w->now);
    assert_int_equal(ask(w, &own), 0);
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(ask(w, &own), 1);
    packet_batch_clear(&own);
    world_free(w);
}

/* What is to be refused is not let through because it is not known yet, or
 * because nobody answers any more. */
static void a_name_to_refuse_is_refused_from_the_start(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    assert_true(packet_batch_init(&own, 16, 1024));
    set_rules(w, "10.137.0.5", "accept", "action=drop dsthost=www.example.org");
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_RULE);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up_to(w, &c, "10.8.0.1"), DROP_NONE);
    assert_int_equal(ask(w, &own), 1);
    struct packet first = resolver_answer(&own.packets[0], "198.51.100.7");
    assert_int_equal(down(w, first), DROP_ANSWERED);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_RULE);
    assert_int_equal(up_to(w, &c, "198.51.100.9"), DROP_NONE);

    for (int i = 0; i < 4000; i++, w->now.us += 1000000)
        ask(w, &own);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_RULE);
    while (ask(w, &own) == 0)
        w->now.us += 1000000;
    struct packet other = resolver_answer(&own.packets[0], "198.51.100.8");
    assert_int_equal(down(w, other), DROP_ANSWERED);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    assert_int_equal(up_to(w, &c, "198.51.100.8"), DROP_RULE);

    /* Another, that nobody answers for at all. What stands goes on. */
    set_rules(w, "10.137.0.5", "accept", "action=drop dsthost=a.b");
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    c.source_port++;
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_RULE);
    for (int i = 0; i < 20; i++, w->now.us += 1000000)
        ask(w, &own);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    /* Nor is there anybody to wait for where no question can be sent. */
    w->tunnel.resolver_count = 1;
    w->tunnel.resolvers[0] = craft_address("2620:fe::fe");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    set_rules(w, "10.137.0.5", "accept", "action=drop dsthost=c.d");
    c.source_port++;
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NONE);
    packet_batch_clear(&own);
    world_free(w);
}

static void a_name_nobody_answers_for_blocks_only_its_rule(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct packet_batch own;
    struct address a = craft_address("10.137.0.5");
    assert_true(packet_batch_init(&own, 16, 1024));
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"), bytes_of_text("action=accept dsthost=a.b")},
        {bytes_of_text("0001"),
         bytes_of_text("action=accept dst4=198.51.100.7")},
    };
    router_set_rules(w->router, w->now, &a, entries, 3);
    unsigned questions = 0;
    for (int i = 0; i < 600; i++, w->now.us += 100000)
        questions += ask(w, &own);
    assert_true(questions >= 8 && questions <= 24);
    struct craft c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    /* The name goes while it is asked for; another takes its place. */
    w->now = router_deadline(w->router);
    while (ask(w, &own) == 0)
        w->now.us += 1000000;
    struct packet broken = resolver_answer(&own.packets[0], "203.0.113.6");
    broken.data[broken.size - 1]++; /* and the checksum with it */
    assert_int_equal(down(w, broken), DROP_NO_FLOW);
    struct packet answer = resolver_answer(&own.packets[0], "203.0.113.5");
    set_rules(w, "10.137.0.5", "drop", "");
    set_rules(w, "10.137.0.5", "drop", "action=accept dsthost=c.d");
    assert_int_equal(down(w, answer), DROP_ANSWERED);
    assert_int_equal(up_to(w, &c, "203.0.113.5"), DROP_RULE);
    packet_batch_clear(&own);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide_and_end_what_they_forbid),
        cmocka_unit_test(bad_rules_drop_everything_and_are_named),
        cmocka_unit_test(without_rules_nothing_passes_where_rules_are_expected),
        cmocka_unit_test(rules_come_from_a_file_too),
        cmocka_unit_test(names_in_rules_are_resolved_through_the_tunnel),
        cmocka_unit_test(a_name_to_refuse_is_refused_from_the_start),
        cmocka_unit_test(a_name_nobody_answers_for_blocks_only_its_rule),
    };
    return cmocka_run_group_tests_name("router_rules", tests, NULL, NULL);
}
