/* Qubes that come and go while flows, fragments and answers of theirs are on
 * their way: to be run under the address sanitizer, too. */
#include "tests/router/world.h"

enum { QUBES = 8, ROUNDS = 60000, LATE = 16 };

static struct address address_of(uint32_t n)
{
    return address_ipv4(0x0a890100 + n);
}

static void all_places_are_given_and_given_again(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct qube *qubes[QUBES_MAX] = {w->first, w->second};
    for (uint32_t i = 2; i < QUBES_MAX; i++) {
        struct address a = address_of(i);
        qubes[i] = router_add_qube(w->router, w->now, "one", &a, NULL);
        assert_non_null(qubes[i]);
        assert_int_equal(qubes[i]->number, i);
    }
    struct address more = address_of(1000);
    assert_null(router_add_qube(w->router, w->now, "more", &more, NULL));
    router_remove_qube(w->router, qubes[77]);
    struct qube *q = router_add_qube(w->router, w->now, "more", &more, NULL);
    assert_non_null(q);
    assert_int_equal(q->number, 77);
    world_free(w);
}

/* --- What is left of a qube that is gone --------------------------------- */

/* One of two fragments. */
static struct packet half(const struct craft *c, bool second)
{
    struct packet p = craft_packet(c);
    size_t cut = 20 + 64;
    if (second)
        memmove(p.data + 20, p.data + cut, p.size - cut);
    p.size = (uint32_t)(second ? p.size - 64 : cut);
    store_u16(p.data + 2, (uint16_t)p.size);
    store_u16(p.data + 6, second ? 64 / 8 : 0x2000);
    store_u16(p.data + 10, 0);
    store_u16(p.data + 10, checksum_finish(checksum_sum(p.data, 20)));
    return p;
}

/* A packet that becomes whole lies in the router's memory. */
static enum drop send_half(struct world *w, struct qube *qube,
                           const struct craft *c, bool second)
{
    struct packet given = half(c, second), p = given;
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    p.qube = qube;
    packet_batch_reset(&w->replies);
    router_from_qubes(w->router, w->now, &batch, &w->replies);
    free(given.data);
    return p.drop;
}

static void fragments_do_not_wait_for_the_next_qube(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    c.dont_fragment = false;
    c.payload = bytes_of(w->payload, 200);
    struct address a = c.source;
    for (int gone = 0; gone < 2; gone++) {
        c.id++;
        assert_int_equal(send_half(w, w->first, &c, false), DROP_HELD);
        if (gone) {
            router_remove_qube(w->router, w->first);
            w->first = router_add_qube(w->router, w->now, "next", &a, NULL);
            assert_int_equal(w->first->number, 0);
        }
        assert_int_equal(send_half(w, w->first, &c, true),
                         gone ? DROP_HELD : DROP_NONE);
    }
    world_free(w);
}

/* The answers to what it sent, after another has come in its place, with its
 * number and with its address or not. */
static void late_answers_reach_no_other(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {6, 17, 1};
    for (size_t i = 0; i < sizeof protocols * 2; i++) {
        struct world *w = world_new(64);
        struct craft c = sample(false, protocols[i / 2]);
        struct address a = i % 2 ? address_of(9) : c.source;
        open_flow(w, &c);
        struct packet late = echoed(w), again = echoed(w);
        assert_int_equal(down(w, again), DROP_NONE);
        assert_ptr_equal(w->packet.qube, w->first);
        router_remove_qube(w->router, w->first);
        w->first = router_add_qube(w->router, w->now, "next", &a, NULL);
        assert_int_equal(w->first->number, 0);
        assert_int_equal(down(w, late), DROP_NO_FLOW);
        assert_int_equal(w->first->packets_down, 0);
        world_free(w);
    }
}

/* --- Storms -------------------------------------------------------------- */

struct storm {
    struct world *w;
    struct qube *qubes[QUBES];
    struct packet late[LATE]; /* answers that have not come yet */
    uint8_t to[LATE];         /* which qube's they are */
    uint32_t turn[QUBES];     /* how often each has come */
    uint32_t turn_of[LATE];
    uint32_t delivered;
};

static void come_or_go(struct storm *s, uint32_t n)
{
    struct world *w = s->w;
    struct address a = address_of(n);
    if (s->qubes[n]) {
        router_remove_qube(w->router, s->qubes[n]);
        s->qubes[n] = NULL;
        return;
    }
    s->qubes[n] = router_add_qube(w->router, w->now, "one", &a, NULL);
    assert_non_null(s->qubes[n]);
    s->turn[n]++;
}

static void send_something(struct storm *s, uint32_t n)
{
    static const uint8_t protocols[] = {6, 17, 17, 1, 47};
    struct world *w = s->w;
    struct craft c = sample(false, protocols[craft_below(&w->seed, 5)]);
    c.source = address_of(n);
    c.source_port = (uint16_t)(2000 + craft_below(&w->seed, 50));
    c.icmp_rest = craft_below(&w->seed, 50) << 16;
    c.destination.bytes[3] = (uint8_t)craft_below(&w->seed, 200);
    if (c.protocol == 17 && craft_below(&w->seed, 4) == 0) {
        c.dont_fragment = false;
        c.id = (uint16_t)craft_below(&w->seed, 8);
        c.payload = bytes_of(w->payload, 200);
        (void)send_half(w, s->qubes[n], &c, craft_below(&w->seed, 2));
        return;
    }
    if (up(w, s->qubes[n], craft_packet(&c)) != DROP_NONE)
        return;
    uint32_t place = craft_below(&w->seed, LATE);
    free(s->late[place].data);
    s->late[place] = echoed(w);
    if (c.protocol == 6)
        s->late[place].data[33] = TCP_SYN | TCP_ACK;
    s->to[place] = (uint8_t)n;
    s->turn_of[place] = s->turn[n];
}

static void answer_something(struct storm *s)
{
    struct world *w = s->w;
    uint32_t place = craft_below(&w->seed, LATE);
    struct packet p = s->late[place];
    if (!p.data)
        return;
    s->late[place].data = NULL;
    if (down(w, p) != DROP_NONE)
        return;
    uint32_t n = s->to[place];
    assert_ptr_equal(w->packet.qube, s->qubes[n]);
    /* If it was another's before, that one has begun the very flow anew. */
    s->delivered += s->turn_of[place] == s->turn[n];
}

static void storms_of_qubes_leave_nothing_behind(void **state)
{
    (void)state;
    struct storm s = {.w = world_new(512)};
    struct world *w = s.w;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t n = craft_below(&w->seed, QUBES);
        w->now.us += craft_below(&w->seed, 5000);
        if (craft_below(&w->seed, 20) == 0)
            come_or_go(&s, n);
        else if (craft_below(&w->seed, 2))
            answer_something(&s);
        else if (s.qubes[n])
            send_something(&s, n);
    }
    assert_true(s.delivered > ROUNDS / 20);
    uint32_t flows = 0;
    for (const struct qube *q = NULL; (q = router_next_qube(w->router, q));)
        flows += q->flows[QUBE_FLOWS].count;
    assert_int_equal(flows, router_flow_count(w->router));
    for (uint32_t n = 0; n < QUBES; n++)
        if (s.qubes[n])
            come_or_go(&s, n);
    assert_int_equal(router_flow_count(w->router), 0);
    for (size_t i = 0; i < LATE; i++)
        free(s.late[i].data);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_places_are_given_and_given_again),
        cmocka_unit_test(fragments_do_not_wait_for_the_next_qube),
        cmocka_unit_test(late_answers_reach_no_other),
        cmocka_unit_test(storms_of_qubes_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("router_qubes", tests, NULL, NULL);
}
