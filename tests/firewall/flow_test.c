#include "firewall/flow.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

/* A table and the qubes whose flows it has. */
struct book {
    struct flow_table table; /* first */
    struct qube qubes[5];
};

static struct qube *qube_at(struct flow_table *t, size_t number)
{
    return &((struct book *)t)->qubes[number];
}

static struct flow_table *table(uint32_t capacity)
{
    struct book *book = calloc(1, sizeof *book);
    struct flow_table *t = &book->table;
    const struct siphash_key key = {1, 2};
    assert_true(flow_table_init(t, capacity, &key));
    struct qube_table all = {.limit = 0};
    for (size_t i = 0; i < sizeof book->qubes / sizeof *book->qubes; i++)
        assert_true(qube_enter(&all, &book->qubes[i]));
    return t;
}

static struct qube *qube_of(struct flow_table *t, uint32_t flow)
{
    return qube_at(t, t->flows[flow].key[FLOW_SIDE_QUBE].qube);
}

static void free_table(struct flow_table *t)
{
    flow_table_clear(t);
    free(t);
}

static struct flow_key key(uint32_t n, uint16_t qube)
{
    struct flow_key k = {.remote_port = 443,
                         .local_port = (uint16_t)(n & 0xff),
                         .qube = qube,
                         .protocol = IP_UDP,
                         .family = n & 1 ? ADDRESS_IPV6 : ADDRESS_IPV4};
    store_u32(k.remote, n);
    if (n & 1)
        store_u32(k.remote + 12, n * 3);
    return k;
}

static uint32_t insert(struct flow_table *t, uint32_t n, uint16_t qube,
                       uint32_t now, uint32_t timeout)
{
    struct flow_key a = key(n, qube), b = key(n, FLOW_TUNNEL_SIDE);
    uint32_t flow = flow_insert(t, qube_at(t, qube), &a, &b, now, timeout);
    if (flow != FLOW_NONE)
        t->flows[flow].track.state = CONNTRACK_UDP;
    return flow;
}

static uint32_t find(const struct flow_table *t, uint32_t n, uint16_t qube)
{
    struct flow_key k = key(n, qube);
    return flow_find(t, &k);
}

static void flows_are_found_from_both_sides_until_removed(void **state)
{
    (void)state;
    struct flow_table *t = table(1000);
    uint32_t flows[1000];
    for (uint32_t i = 0; i < 1000; i++) {
        flows[i] = insert(t, i, (uint16_t)(i % 3), 0, 100);
        assert_int_not_equal(flows[i], FLOW_NONE);
    }
    assert_int_equal(insert(t, 5000, 0, 0, 100), FLOW_NONE);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(find(t, i, (uint16_t)(i % 3)), flows[i]);
        assert_int_equal(find(t, i, FLOW_TUNNEL_SIDE), flows[i]);
        assert_int_equal(find(t, i, 7), FLOW_NONE);
    }
    for (uint32_t i = 0; i < 1000; i += 2)
        flow_remove(t, qube_of(t, flows[i]), flows[i]);
    assert_int_equal(t->count, 500);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(find(t, i, FLOW_TUNNEL_SIDE),
                         i % 2 ? flows[i] : FLOW_NONE);
    assert_int_equal(qube_at(t, 0)->flows[QUBE_FLOWS].count +
                         qube_at(t, 1)->flows[QUBE_FLOWS].count +
                         qube_at(t, 2)->flows[QUBE_FLOWS].count,
                     500);
    free_table(t);
}

/* Removes what is due at each second, and checks it against the book. */
static void flows_end_in_their_second(void **state)
{
    (void)state;
    struct flow_table *t = table(512);
    static uint32_t due[512]; /* by flow; 0: none */
    uint64_t seed = 17;
    uint32_t n = 0;
    for (uint32_t now = 100; now < 30000;) {
        for (int i = 0; i < 20; i++) {
            uint32_t timeout = craft_below(&seed, 8000);
            if (craft_below(&seed, 2)) {
                uint32_t flow = insert(t, n++, 0, now, timeout);
                if (flow != FLOW_NONE)
                    due[flow] = now + timeout;
            } else {
                uint32_t flow = craft_below(&seed, 512);
                if (due[flow]) {
                    flow_touch(t, flow, now, timeout);
                    due[flow] = now + timeout;
                }
            }
        }
        now += craft_below(&seed, n % 50 ? 3 : 2000);
        uint32_t flow;
        while ((flow = flow_expired(t, now)) != FLOW_NONE) {
            assert_true(due[flow] > 0 && due[flow] <= now);
            due[flow] = 0;
            flow_remove(t, qube_of(t, flow), flow);
        }
        uint32_t next = UINT32_MAX;
        for (size_t i = 0; i < 512; i++) {
            assert_true(due[i] == 0 || due[i] > now);
            if (due[i] && due[i] < next)
                next = due[i];
        }
        /* The deadline may be early, never late. */
        struct instant deadline = flow_deadline(t);
        if (next == UINT32_MAX)
            assert_true(instant_is_never(deadline));
        else
            assert_true(deadline.us <= (int64_t)next * 1000000);
    }
    free_table(t);
}

static bool is_transitory(const void *context, const struct flow *flow)
{
    (void)context;
    return conntrack_is_transitory(&flow->track);
}

static void the_oldest_that_came_to_nothing_makes_room(void **state)
{
    (void)state;
    struct flow_table *t = table(64);
    uint32_t flows[40];
    for (uint32_t i = 0; i < 40; i++)
        flows[i] = insert(t, i, 3, 0, 100);
    assert_int_equal(flow_oldest(t, qube_at(t, 3), is_transitory, NULL),
                     FLOW_NONE);
    t->flows[flows[20]].track.state = CONNTRACK_UDP_ONE_WAY;
    t->flows[flows[25]].track.state = CONNTRACK_TCP_CLOSED;
    uint32_t found = flow_oldest(t, qube_at(t, 3), is_transitory, NULL);
    assert_true(found == flows[20] || found == flows[25]);
    flow_remove(t, qube_of(t, found), found);
    found = flow_oldest(t, qube_at(t, 3), is_transitory, NULL);
    assert_true(found == flows[20] || found == flows[25]);
    flow_remove(t, qube_of(t, found), found);
    assert_int_equal(flow_oldest(t, qube_at(t, 3), is_transitory, NULL),
                     FLOW_NONE);
    assert_int_equal(qube_at(t, 3)->flows[QUBE_FLOWS].count, 38);
    assert_int_equal(flow_oldest(t, qube_at(t, 4), is_transitory, NULL),
                     FLOW_NONE);
    free_table(t);
}

/* Keys that differ in little land in chains as short as random ones. */
static uint32_t longest_chain(const struct flow_table *t)
{
    uint32_t longest = 0;
    for (uint32_t h = 0; h <= t->head_mask; h++) {
        uint32_t length = 0;
        for (uint32_t e = t->heads[h]; e != FLOW_NONE;
             e = t->flows[e / 2].next[e % 2])
            length++;
        if (length > longest)
            longest = length;
    }
    return longest;
}

/* An attacker who knew the key could fill one chain of a small table: the flows
 * that lie, in a large one, in every 1024th. With another key the same flows
 * are like any. */
static void flows_chosen_to_crowd_one_chain_are_spread(void **state)
{
    (void)state;
    enum { MANY = 131072, SMALL = 512, FEWEST = 80 };
    struct flow_table *search = table(MANY);
    struct flow_table *known = table(SMALL), *secret = table(SMALL);
    uint32_t chosen = 0;
    secret->key = (struct siphash_key){3, 4};
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_not_equal(insert(search, i, 0, 0, 100), FLOW_NONE);
    for (uint32_t h = 0; h <= search->head_mask; h += known->head_mask + 1)
        for (uint32_t e = search->heads[h]; e != FLOW_NONE;
             e = search->flows[e / 2].next[e % 2]) {
            const struct flow_key *k = &search->flows[e / 2].key[e % 2];
            if (k->qube == FLOW_TUNNEL_SIDE || chosen == SMALL)
                continue;
            uint32_t n = load_u32(k->remote);
            assert_int_not_equal(insert(known, n, 0, 0, 100), FLOW_NONE);
            assert_int_not_equal(insert(secret, n, 0, 0, 100), FLOW_NONE);
            chosen++;
        }
    assert_true(chosen >= FEWEST);
    assert_true(longest_chain(known) >= chosen);
    assert_true(longest_chain(secret) <= 7);
    free_table(search);
    free_table(known);
    free_table(secret);
}

static void similar_keys_do_not_crowd(void **state)
{
    (void)state;
    struct flow_table *t = table(4096);
    for (uint32_t i = 0; i < 4096; i++)
        assert_int_not_equal(insert(t, i * 2, 0, 0, 100), FLOW_NONE);
    uint32_t longest = longest_chain(t);
    assert_true(longest >= 3 && longest <= 10);
    free_table(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_are_found_from_both_sides_until_removed),
        cmocka_unit_test(flows_end_in_their_second),
        cmocka_unit_test(the_oldest_that_came_to_nothing_makes_room),
        cmocka_unit_test(similar_keys_do_not_crowd),
        cmocka_unit_test(flows_chosen_to_crowd_one_chain_are_spread),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
