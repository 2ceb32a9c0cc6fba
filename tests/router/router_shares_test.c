/* Greedy qubes, and what is left to the others: flows, external ports, hosts of
 * protocols without ports, and the gateway's own questions. */
#include "tests/router/world.h"

enum { FLOWS = 65536 };

static struct qube *add(struct world *w, const char *name, const char *address)
{
    struct address a = craft_address(address);
    struct qube *qube = router_add_qube(w->router, w->now, name, &a, NULL);
    assert_non_null(qube);
    return qube;
}

/* A first packet number `n` of a qube: a port or identifier of its own. */
static enum drop begin(struct world *w, struct qube *qube, const char *address,
                       uint8_t protocol, uint32_t n)
{
    struct craft c = sample(false, protocol);
    c.source = craft_address(address);
    c.source_port = (uint16_t)(1024 + n);
    c.icmp_rest = n << 16;
    c.destination_port = 53;
    return up(w, qube, craft_packet(&c));
}

/* Two qubes try to have it all, as fast as they may. */
static void be_greedy(struct world *w, uint8_t protocol)
{
    for (uint32_t n = 0; n < 40000; n++) {
        w->now.us += 500;
        (void)begin(w, w->first, "10.137.0.5", protocol, n);
        (void)begin(w, w->second, "10.137.0.6", protocol, n + 24000);
    }
}

/* Another qube gets what it asks for, up to its part. */
static void check_others(struct world *w, struct qube *qube,
                         const char *address, uint8_t protocol, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        w->now.us += 500;
        assert_int_equal(begin(w, qube, address, protocol, n), DROP_NONE);
    }
    const struct qube *status = qube;
    assert_int_equal(status->flows[QUBE_FLOWS].count, count);
}

static void greedy_qubes_leave_ports_to_the_others(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct world *w = world_new(FLOWS);
        struct qube *other = late ? NULL : add(w, "other", "10.137.0.7");
        be_greedy(w, IP_UDP);
        if (late)
            other = add(w, "other", "10.137.0.7");
        check_others(w, other, "10.137.0.7", IP_UDP, 3000);
        /* The two go on, and it keeps what it has. */
        be_greedy(w, IP_UDP);
        const struct qube *status = other;
        assert_int_equal(status->flows[QUBE_FLOWS].count, 3000);
        world_free(w);
    }
}

static void greedy_qubes_leave_identifiers_to_the_others(void **state)
{
    (void)state;
    struct world *w = world_new(FLOWS);
    be_greedy(w, IP_ICMP);
    struct qube *other = add(w, "other", "10.137.0.7");
    check_others(w, other, "10.137.0.7", IP_ICMP, 3000);
    world_free(w);
}

static void a_late_qube_has_its_part_of_what_stands(void **state)
{
    (void)state;
    struct world *w = world_new(FLOWS);
    const struct qube *first, *second;
    for (uint32_t n = 0; n < 36000; n++) {
        struct craft c = sample(false, 17);
        c.source_port = (uint16_t)(1024 + n);
        c.destination_port = 443;
        w->now.us += 500;
        if (up(w, w->first, craft_packet(&c)) == DROP_NONE)
            assert_int_equal(down(w, echoed(w)), DROP_NONE);
        c.source = craft_address("10.137.0.6");
        if (up(w, w->second, craft_packet(&c)) == DROP_NONE)
            assert_int_equal(down(w, echoed(w)), DROP_NONE);
    }
    first = w->first;
    second = w->second;
    assert_true(first->flows[QUBE_FLOWS].count +
                    second->flows[QUBE_FLOWS].count >
                64000);
    assert_true(first->drops.count[DROP_PORTS_FULL] +
                    first->drops.count[DROP_FLOWS_FULL] >
                0);
    struct qube *other = add(w, "other", "10.137.0.7");
    check_others(w, other, "10.137.0.7", IP_UDP, 3000);
    first = w->first;
    assert_true(first->flows[QUBE_FLOWS].count > 20000);
    world_free(w);
}

/* Names in rules are resolved whatever the qubes do. */
static void the_gateways_own_questions_have_ports(void **state)
{
    (void)state;
    struct world *w = world_new(FLOWS);
    struct packet_batch own;
    struct address a = craft_address("10.137.0.7");
    const struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text("drop")},
        {bytes_of_text("0000"),
         bytes_of_text("action=accept dsthost=www.example.org")},
    };
    assert_true(packet_batch_init(&own, 16, 1024));
    be_greedy(w, IP_UDP);
    add(w, "other", "10.137.0.7");
    router_set_rules(w->router, w->now, &a, entries, 2);
    router_own_packets(w->router, w->now, &own);
    assert_int_equal(own.count, 1);
    packet_batch_clear(&own);
    world_free(w);
}

enum { QUBES = 6, SMALL = 600 };

static const char *const addresses[QUBES] = {"10.137.0.11", "10.137.0.12",
                                             "10.137.0.13", "10.137.0.14",
                                             "10.137.0.15", "10.137.0.16"};

static uint32_t flows_of(const struct qube *qube)
{
    return qube ? qube->flows[QUBE_FLOWS].count : 0;
}

/* Some packet of a qube, which may begin something, and perhaps its answer. */
static void do_something(struct world *w, struct qube *qube,
                         const char *address, uint32_t part)
{
    static const uint8_t protocols[] = {6, 6, 17, 17, 17, 1, 47, 50};
    struct craft c = sample(false, protocols[craft_below(&w->seed, 8)]);
    bool lacks = flows_of(qube) < part;
    c.source = craft_address(address);
    c.source_port = (uint16_t)(1024 + craft_below(&w->seed, 400));
    c.destination.bytes[3] = (uint8_t)craft_below(&w->seed, 4);
    c.icmp_rest = craft_below(&w->seed, 400) << 16;
    c.flags = craft_below(&w->seed, 5) ? TCP_SYN : TCP_RST | TCP_ACK;
    enum drop drop = up(w, qube, craft_packet(&c));
    assert_true(drop != DROP_PORTS_FULL && drop != DROP_FLOW_RATE);
    if (lacks)
        assert_int_not_equal(drop, DROP_FLOWS_FULL);
    if (drop == DROP_NONE && craft_below(&w->seed, 2)) {
        struct packet back = echoed(w);
        if (back.data[9] == 6)
            back.data[33] = TCP_SYN | TCP_ACK;
        (void)down(w, back);
    }
}

/* Qubes come and go, and whatever they do, the sums are right and each gets
 * its part. */
static void random_use_keeps_the_books(void **state)
{
    (void)state;
    struct world *w = world_new(SMALL);
    struct qube *qubes[QUBES] = {NULL};
    uint32_t there = 2; /* and the world's own two, which do nothing */
    uint32_t most = 0;
    for (int i = 0; i < 300000; i++) {
        uint32_t n = craft_below(&w->seed, QUBES);
        w->now.us += craft_below(&w->seed, 20000);
        if (!qubes[n] && craft_below(&w->seed, 200) == 0) {
            qubes[n] = add(w, "somebody", addresses[n]);
            there++;
        } else if (qubes[n] && craft_below(&w->seed, 2000) == 0) {
            router_remove_qube(w->router, qubes[n]);
            qubes[n] = NULL;
            there--;
        } else if (qubes[n]) {
            do_something(w, qubes[n], addresses[n], SMALL / 2 / there);
        }
        uint32_t sum = 0;
        for (int k = 0; k < QUBES; k++)
            sum += flows_of(qubes[k]);
        assert_int_equal(sum, router_flow_count(w->router));
        most = sum > most ? sum : most;
    }
    assert_true(most > SMALL * 8 / 10); /* it was short */
    world_free(w);
}

static const uint8_t without_ports[] = {IP_GRE, IP_ESP, IP_SCTP};

static enum drop want(struct world *w, bool second, uint8_t protocol)
{
    return begin(w, second ? w->second : w->first,
                 second ? "10.137.0.6" : "10.137.0.5", protocol, 0);
}

/* One qube uses the host, the other wants it, for so many seconds. */
static void contest(struct world *w, bool second_wants, uint8_t protocol,
                    int seconds)
{
    for (int i = 0; i < seconds; i += 10) {
        assert_int_equal(want(w, !second_wants, protocol), DROP_NONE);
        assert_int_equal(down(w, echoed(w)), DROP_NONE);
        assert_ptr_equal(w->packet.qube, second_wants ? w->first : w->second);
        assert_int_equal(want(w, second_wants, protocol), DROP_HOST_TAKEN);
        expect_error(w, 3, 13);
        w->now.us += 10 * 1000000LL;
    }
}

static void a_host_without_ports_is_had_by_turns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof without_ports; i++) {
        struct world *w = world_new(64);
        uint8_t protocol = without_ports[i];
        const struct qube *status;
        contest(w, true, protocol, 600);
        assert_int_equal(want(w, false, protocol), DROP_NONE);
        struct packet to_first = echoed(w), later = echoed(w);
        struct craft error = {
            .source = craft_address("203.0.113.9"),
            .destination = w->tunnel.ipv4.address,
            .protocol = 1,
            .icmp_type = 3,
            .icmp_code = 1,
            .payload = bytes_of(w->out, w->out_size),
        };
        struct packet unreachable = craft_packet(&error);
        /* It changes hands, and what is on its way to the first one reaches
         * neither. */
        assert_int_equal(want(w, true, protocol), DROP_HOST_TAKEN);
        assert_int_equal(want(w, false, protocol), DROP_HOST_TAKEN);
        w->now.us += 119 * 1000000LL;
        assert_int_equal(down(w, to_first), DROP_HOST_TAKEN);
        assert_int_equal(down(w, unreachable), DROP_ICMP_EMBEDDED);
        assert_int_equal(want(w, true, protocol), DROP_HOST_TAKEN);
        w->now.us += 1 * 1000000LL;
        assert_int_equal(want(w, true, protocol), DROP_NONE);
        assert_int_equal(down(w, later), DROP_NONE);
        assert_ptr_equal(w->packet.qube, w->second);
        contest(w, false, protocol, 480);
        status = w->second;
        assert_true(status->drops.count[DROP_HOST_TAKEN] > 60);
        world_free(w);
    }
}

/* The next one, a new qube in the same place as well. */
static void what_is_sent_to_one_that_has_gone_reaches_nobody(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    assert_int_equal(want(w, false, IP_GRE), DROP_NONE);
    struct packet late[] = {echoed(w), echoed(w)};
    router_remove_qube(w->router, w->first);
    w->first = add(w, "next", "10.137.0.5");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(want(w, i, IP_GRE), DROP_HOST_TAKEN);
        assert_int_equal(down(w, late[i]), DROP_HOST_TAKEN);
    }
    w->now.us += 120 * 1000000LL;
    assert_int_equal(want(w, false, IP_GRE), DROP_NONE);
    world_free(w);
}

/* Asking now and then takes nothing away. */
static void who_asks_rarely_waits(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int i = 0; i < 20; i++) {
        contest(w, true, IP_ESP, 590);
        for (int k = 0; k < 13; k++) {
            w->now.us += 10 * 1000000LL;
            assert_int_equal(want(w, false, IP_ESP), DROP_NONE);
        }
    }
    /* And where nobody asks, it is kept for ever. */
    for (int i = 0; i < 1000; i++) {
        w->now.us += 100 * 1000000LL;
        assert_int_equal(want(w, false, IP_ESP), DROP_NONE);
    }
    assert_int_equal(want(w, true, IP_ESP), DROP_HOST_TAKEN);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_qubes_leave_ports_to_the_others),
        cmocka_unit_test(greedy_qubes_leave_identifiers_to_the_others),
        cmocka_unit_test(a_late_qube_has_its_part_of_what_stands),
        cmocka_unit_test(the_gateways_own_questions_have_ports),
        cmocka_unit_test(random_use_keeps_the_books),
        cmocka_unit_test(a_host_without_ports_is_had_by_turns),
        cmocka_unit_test(what_is_sent_to_one_that_has_gone_reaches_nobody),
        cmocka_unit_test(who_asks_rarely_waits),
    };
    return cmocka_run_group_tests_name("router shares", tests, NULL, NULL);
}
