#include "firewall/mapping.h"

#include "tests/unit.h"

static struct mapping_table *table(uint32_t capacity)
{
    uint8_t seed[32];
    struct mapping_table *t = calloc(1, sizeof *t);
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(i * 7 + 1);
    assert_true(mapping_table_init(t, capacity, seed));
    for (uint16_t qube = 0; qube < 200; qube++)
        mapping_join(t, qube);
    return t;
}

static void free_table(struct mapping_table *t)
{
    mapping_table_clear(t);
    free(t);
}

static struct flow_key key(uint16_t qube, uint16_t port, uint8_t protocol)
{
    return (struct flow_key){.qube = qube,
                             .local_port = port,
                             .protocol = protocol,
                             .family = ADDRESS_IPV4};
}

static uint16_t port_of(const struct mapping_table *t, uint32_t mapping)
{
    assert_int_not_equal(mapping, MAPPING_NONE);
    return t->mappings[mapping].external_port;
}

static void a_port_is_shared_by_its_flows_and_kept_if_free(void **state)
{
    (void)state;
    struct mapping_table *t = table(64);
    struct flow_key a = key(1, 5000, IP_UDP), b = key(2, 5000, IP_UDP),
                    c = key(2, 5000, IP_TCP);
    uint32_t first = mapping_acquire(t, &a, 0, true);
    assert_int_equal(port_of(t, first), 5000);
    assert_int_equal(mapping_acquire(t, &a, 0, true), first);
    assert_int_not_equal(port_of(t, mapping_acquire(t, &b, 0, true)), 5000);
    /* Protocols have their own ports. */
    assert_int_equal(port_of(t, mapping_acquire(t, &c, 0, true)), 5000);
    /* One of its own, although there is one to share. */
    uint32_t own = mapping_acquire(t, &a, 0, false);
    assert_int_not_equal(own, first);
    assert_int_equal(mapping_acquire(t, &a, 0, true), first);
    free_table(t);
}

static void ports_stay_in_their_class(void **state)
{
    (void)state;
    struct mapping_table *t = table(4096);
    for (uint16_t qube = 0; qube < 200; qube++) {
        struct flow_key low = key(qube, 123, IP_UDP),
                        high = key(qube, 40000, IP_UDP);
        uint16_t port = port_of(t, mapping_acquire(t, &low, 0, true));
        assert_true(port > 0 && port < 1024);
        assert_true(port_of(t, mapping_acquire(t, &high, 0, true)) >= 1024);
    }
    free_table(t);
}

static void who_takes_all_small_ports_stops_nobody(void **state)
{
    (void)state;
    struct mapping_table *t = table(4096);
    for (uint16_t port = 1; port < 1024; port++) {
        struct flow_key k = key(1, port, IP_UDP);
        assert_true(port_of(t, mapping_acquire(t, &k, 0, true)) < 1024);
    }
    struct flow_key time = key(2, 123, IP_UDP);
    assert_true(port_of(t, mapping_acquire(t, &time, 0, true)) >= 1024);
    free_table(t);
}

static void every_port_can_be_had_once(void **state)
{
    (void)state;
    struct mapping_table *t = table(70000);
    uint8_t *seen = calloc(65536, 1);
    uint32_t had[4] = {0};
    for (uint32_t i = 0; i < 70000; i++) {
        uint16_t qube = (uint16_t)(i % 3);
        struct flow_key k = key(qube, 30000, IP_TCP);
        uint32_t m = mapping_acquire(t, &k, 0, false);
        if (m == MAPPING_NONE)
            continue;
        uint16_t port = port_of(t, m);
        assert_true(port >= 1024 && !seen[port]);
        seen[port] = 1;
        had[qube]++;
    }
    /* The rest is the parts of the other 197, and the gateway's. */
    assert_int_equal(had[0] + had[1] + had[2],
                     64512 - 64 - 197 * ((64512 - 64) / 2 / 200));
    for (uint16_t i = 0; i < 64; i++) {
        struct flow_key k = key(MAPPING_GATEWAY, 30000, IP_TCP);
        assert_true(port_of(t, mapping_acquire(t, &k, 0, false)) >= 1024);
    }
    for (uint16_t i = 0; i < 161; i++) {
        struct flow_key k = key(9, (uint16_t)(2000 + i), IP_TCP);
        assert_true(port_of(t, mapping_acquire(t, &k, 0, true)) >= 1024);
    }
    struct flow_key k = key(9, 30000, IP_TCP);
    assert_int_equal(mapping_acquire(t, &k, 0, true), MAPPING_NONE);
    k.protocol = IP_UDP;
    assert_int_equal(port_of(t, mapping_acquire(t, &k, 0, true)), 30000);
    free(seen);
    free_table(t);
}

static void one_qube_has_half_of_the_ports(void **state)
{
    (void)state;
    struct mapping_table *t = table(70000);
    uint32_t had = 0;
    for (uint32_t i = 1024; i < 65536; i++) {
        struct flow_key k = key(1, (uint16_t)i, IP_UDP);
        had += mapping_acquire(t, &k, 0, true) != MAPPING_NONE;
    }
    assert_int_equal(had, (64512 - 64) / 2);
    /* Its flows share its ports as before. */
    struct flow_key k = key(1, 1024, IP_UDP);
    assert_int_not_equal(mapping_acquire(t, &k, 0, true), MAPPING_NONE);
    free_table(t);
}

static void a_port_rests_before_a_stranger_gets_it(void **state)
{
    (void)state;
    struct mapping_table *t = table(64);
    struct flow_key a = key(1, 5000, IP_UDP), b = key(2, 5000, IP_UDP);
    uint32_t first = mapping_acquire(t, &a, 0, true);
    mapping_release(t, first, 100);
    uint32_t other = mapping_acquire(t, &b, 219, true);
    assert_int_not_equal(port_of(t, other), 5000);
    /* Its own qube has it back at once. */
    assert_int_equal(mapping_acquire(t, &a, 219, true), first);
    mapping_release(t, first, 219);
    mapping_release(t, other, 219);
    assert_int_equal(port_of(t, mapping_acquire(t, &b, 339, true)), 5000);
    free_table(t);
}

static void where_all_is_taken_the_longest_rest_ends(void **state)
{
    (void)state;
    struct mapping_table *t = table(2000); /* ten for each */
    struct flow_key k;
    for (uint32_t i = 0; i < 2000; i++) {
        k = key((uint16_t)(i % 199), (uint16_t)(1024 + i), IP_UDP);
        mapping_release(t, mapping_acquire(t, &k, 0, true), 0);
    }
    /* Those that rest are no one's: it has as many as it may, and what has
     * rested longest is given away for it. */
    uint32_t had = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        k = key(199, (uint16_t)(10000 + i), IP_UDP);
        uint32_t m = mapping_acquire(t, &k, 1, true);
        if (m == MAPPING_NONE)
            break;
        assert_int_equal(port_of(t, m), 10000 + i);
        had++;
    }
    assert_int_equal(had, 1000);
    k = key(1999 % 199, 1024 + 1999, IP_UDP);
    uint32_t places = t->fresh;
    mapping_acquire(t, &k, 1, true); /* it rested still */
    assert_int_equal(t->fresh, places);
    free_table(t);
}

static void a_crowd_of_resting_ports_thins_out(void **state)
{
    (void)state;
    struct mapping_table *t = table(65536);
    for (uint32_t i = 0; i < 200000; i++) {
        struct flow_key k = key(1, (uint16_t)(1024 + i % 60000), IP_UDP);
        mapping_release(t, mapping_acquire(t, &k, 0, i % 2), 0);
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < MAPPING_PORTS / 64; i++)
        used += (uint32_t)__builtin_popcountll(t->used[1][i]);
    assert_int_equal(t->used_count[1], used);
    assert_true(used > 50000 && used <= 65536 / 8 * 7 + 1);
    free_table(t);
}

static void a_qube_that_has_gone_leaves_nothing_to_its_successor(void **state)
{
    (void)state;
    struct mapping_table *t = table(64);
    struct flow_key a = key(1, 5000, IP_UDP);
    mapping_release(t, mapping_acquire(t, &a, 0, true), 0);
    mapping_leave(t, 1);
    mapping_join(t, 1);
    assert_int_not_equal(port_of(t, mapping_acquire(t, &a, 1, true)), 5000);
    free_table(t);
}

static void random_use_keeps_the_books(void **state)
{
    (void)state;
    struct mapping_table *t = table(128);
    uint32_t held[200], count = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t r = mapping_random(t);
        struct flow_key k = key((uint16_t)(r % 5), (uint16_t)(r >> 8 & 15),
                                r >> 20 & 1 ? IP_TCP : IP_UDP);
        k.local_port = (uint16_t)(k.local_port + 2000);
        if (count < 200 && (r >> 32) % 5 < 3) {
            uint32_t m = mapping_acquire(t, &k, i / 100, r >> 21 & 1);
            if (m != MAPPING_NONE)
                held[count++] = m;
        } else if (count > 0) {
            size_t n = (r >> 40) % count;
            mapping_release(t, held[n], i / 100);
            held[n] = held[--count];
        }
    }
    while (count > 0)
        mapping_release(t, held[--count], 1000);
    mapping_expire(t, 1000 + MAPPING_REST);
    for (size_t s = 0; s < MAPPING_SPACES; s++)
        for (size_t i = 0; i < MAPPING_PORTS / 64; i++)
            assert_int_equal(t->used[s][i], 0);
    uint32_t free_count = t->capacity - t->fresh;
    for (uint32_t m = t->free; m != MAPPING_NONE; m = t->mappings[m].next)
        free_count++;
    assert_int_equal(free_count, 128 + MAPPING_OWN);
    for (size_t s = 0; s < MAPPING_SPACES; s++)
        assert_true(t->used_count[s] == 0 && t->quotas[s].taken == 0);
    free_table(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_shared_by_its_flows_and_kept_if_free),
        cmocka_unit_test(ports_stay_in_their_class),
        cmocka_unit_test(who_takes_all_small_ports_stops_nobody),
        cmocka_unit_test(every_port_can_be_had_once),
        cmocka_unit_test(one_qube_has_half_of_the_ports),
        cmocka_unit_test(a_port_rests_before_a_stranger_gets_it),
        cmocka_unit_test(where_all_is_taken_the_longest_rest_ends),
        cmocka_unit_test(a_crowd_of_resting_ports_thins_out),
        cmocka_unit_test(a_qube_that_has_gone_leaves_nothing_to_its_successor),
        cmocka_unit_test(random_use_keeps_the_books),
    };
    return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
