/* The table of clients against a list that is searched from end to end: who
 * wakes up next, who has which number, who is found where. */
#include "gateway/openvpn/server/server_table.h"

#include "tests/unit.h"

enum { CAPACITY = 300, STEPS = 20000 };

struct model {
    struct server_table table;
    struct server_entry entries[CAPACITY];
    bool in[CAPACITY];
    uint32_t count;
};

static uint32_t seed = 20;

static uint32_t below(uint32_t limit)
{
    return next_random(&seed) % limit;
}

static struct instant some_time(void)
{
    return below(20) == 0 ? INSTANT_NEVER : (struct instant){below(5000)};
}

static struct server_path some_path(void)
{
    return (struct server_path){
        .remote = {address_ipv4(0x0a000000 + below(3)), (uint16_t)below(50)},
        .stream = 0};
}

/* Those at the entry's path, each once. */
static void check_path(struct model *m, const struct server_path *path)
{
    uint32_t there = 0, found = 0;
    struct server_entry *e = NULL;
    for (uint32_t i = 0; i < CAPACITY; i++)
        there += m->in[i] && server_path_equal(&m->entries[i].path, path);
    while ((e = server_table_at_path(&m->table, path, e))) {
        assert_true(server_path_equal(&e->path, path));
        found++;
    }
    assert_int_equal(found, there);
}

static void check(struct model *m)
{
    struct instant earliest = INSTANT_NEVER;
    bool number[CAPACITY] = {false};
    uint32_t count = 0;
    for (uint32_t i = 0; i < CAPACITY; i++) {
        struct server_entry *e = &m->entries[i];
        if (!m->in[i])
            continue;
        count++;
        earliest = instant_earlier(earliest, e->wake);
        assert_true(e->index < CAPACITY && !number[e->index]);
        number[e->index] = true;
        assert_ptr_equal(server_table_at(&m->table, e->index), e);
        assert_ptr_equal(server_table_find(&m->table, &e->path, &e->session),
                         e);
    }
    assert_int_equal(m->table.count, count);
    const struct server_path any = some_path();
    check_path(m, &any);
    struct instant told = server_table_deadline(&m->table);
    assert_int_equal(told.us, earliest.us);
    for (uint32_t i = 0; i < CAPACITY; i++)
        if (!number[i])
            assert_null(server_table_at(&m->table, i));
}

static void add(struct model *m, uint32_t i)
{
    struct server_entry *e = &m->entries[i];
    /* No two session ids are the same, as in life. */
    *e = (struct server_entry){.path = some_path()};
    store_u32(e->session.bytes, i);
    assert_true(server_table_add(&m->table, e, some_time()));
    m->in[i] = true;
}

static void take_out(struct model *m, uint32_t i)
{
    struct server_entry *e = &m->entries[i];
    server_table_remove(&m->table, e);
    m->in[i] = false;
    assert_null(server_table_find(&m->table, &e->path, &e->session));
}

/* All whose time has come, once each, earliest first. */
static void let_pass(struct model *m, struct instant now)
{
    struct server_entry *e;
    struct instant before = {0};
    while ((e = server_table_due(&m->table, now))) {
        assert_true(instant_reached(now, e->wake));
        assert_false(instant_before(e->wake, before));
        before = e->wake;
        server_table_rest(&m->table, e,
                          instant_after(now, (struct duration){1 + below(99)}));
    }
}

static void change(struct model *m, uint32_t i)
{
    struct server_entry *e = &m->entries[i];
    struct instant when = some_time(), had = e->wake;
    struct server_path path = some_path();
    uint32_t other = below(CAPACITY);
    switch (below(5)) {
    case 0: /* never later than before */
        server_table_wake(&m->table, e, when);
        assert_int_equal(e->wake.us, instant_earlier(when, had).us);
        break;
    case 1:
        server_table_rest(&m->table, e, when);
        break;
    case 2:
        server_table_move(&m->table, e, &path);
        break;
    case 3:
        if (m->in[other])
            server_table_swap(&m->table, e, &m->entries[other]);
        break;
    default:
        server_table_queue(&m->table, e);
        break;
    }
}

static void it_is_what_a_search_finds(void **state)
{
    (void)state;
    static struct model m;
    const struct siphash_key key = {1, 2};
    assert_true(server_table_init(&m.table, CAPACITY, &key));
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t i = below(CAPACITY);
        if (!m.in[i])
            add(&m, i);
        else if (below(3) == 0)
            take_out(&m, i);
        else
            change(&m, i);
        if (step % 50 == 0)
            let_pass(&m, (struct instant){below(1000)});
        if (step % 10 == 0)
            check(&m);
    }
    server_table_clear(&m.table);
}

static void a_full_one_takes_no_more(void **state)
{
    (void)state;
    static struct model m;
    const struct siphash_key key = {3, 4};
    struct server_entry one_more = {.path = some_path()};
    assert_true(server_table_init(&m.table, CAPACITY, &key));
    for (uint32_t i = 0; i < CAPACITY; i++)
        add(&m, i);
    check(&m);
    assert_false(server_table_add(&m.table, &one_more, (struct instant){0}));
    /* The number that is free is the next one's. */
    uint32_t number = m.entries[7].index;
    take_out(&m, 7);
    assert_true(server_table_add(&m.table, &one_more, (struct instant){0}));
    assert_int_equal(one_more.index, number);
    server_table_clear(&m.table);
}

static void each_is_queued_once_and_in_order(void **state)
{
    (void)state;
    static struct model m;
    const struct siphash_key key = {5, 6};
    assert_true(server_table_init(&m.table, CAPACITY, &key));
    for (uint32_t i = 0; i < 5; i++) {
        add(&m, i);
        server_table_queue(&m.table, &m.entries[i]);
        server_table_queue(&m.table, &m.entries[0]);
    }
    /* A client that leaves says nothing more, be it the first, the last or
     * between. */
    take_out(&m, 2);
    take_out(&m, 4);
    take_out(&m, 0);
    assert_ptr_equal(server_table_queued(&m.table), &m.entries[1]);
    server_table_dequeue(&m.table);
    server_table_queue(&m.table, &m.entries[1]);
    assert_ptr_equal(server_table_queued(&m.table), &m.entries[3]);
    server_table_dequeue(&m.table);
    assert_ptr_equal(server_table_queued(&m.table), &m.entries[1]);
    server_table_dequeue(&m.table);
    assert_null(server_table_queued(&m.table));
    server_table_clear(&m.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_a_search_finds),
        cmocka_unit_test(a_full_one_takes_no_more),
        cmocka_unit_test(each_is_queued_once_and_in_order),
    };
    return cmocka_run_group_tests_name("server_table", tests, NULL, NULL);
}
