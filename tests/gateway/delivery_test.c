#include "gateway/delivery.h"

#include <stdlib.h>

#include "gateway/packet/ip_packet.h"
#include "gateway/packet/segment.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"

/* A link that keeps what it is sent, whole. */
enum { KEPT_MAX = 1200 };
struct double_link {
    struct link link; /* first */
    bool plain;       /* it takes neither super-packets nor open checksums */
    size_t count;
    struct packet kept[KEPT_MAX];
};

static void keep(struct link_port *port, struct instant now,
                 struct packet *const *packets, size_t count)
{
    struct double_link *d = (struct double_link *)port->link;
    (void)now;
    for (size_t i = 0; i < count; i++) {
        const struct packet *p = packets[i];
        assert_true(d->count < KEPT_MAX && p->headroom >= 14);
        uint8_t *copy = malloc(packet_total(p));
        size_t at = p->size;
        memcpy(copy, p->data, p->size);
        for (size_t k = 0; k < p->piece_count; k++) {
            memcpy(copy + at, p->pieces[k].data, p->pieces[k].size);
            at += p->pieces[k].size;
        }
        d->kept[d->count] = *p;
        d->kept[d->count].data = copy;
        d->kept[d->count++].size = (uint32_t)at;
    }
}

static bool takes(const struct link_port *port, const struct packet *packet)
{
    const struct double_link *d = (const struct double_link *)port->link;
    return !d->plain || (packet->gso == PACKET_GSO_NONE &&
                         packet->checksum != PACKET_CHECKSUM_PARTIAL);
}

static const struct link_kind kind = {
    .name = "double",
    .send = keep,
    .takes = takes,
};

struct world {
    struct delivery delivery;
    struct router *router;
    struct double_link link;
    struct qube *qube;
    uint8_t payload[60000];
};

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    const struct router_options options = {.flows = 16};
    uint64_t seed = 7;
    struct address a = craft_address("10.137.0.5");
    w->router = router_new(&options);
    w->qube = router_add_qube(w->router, (struct instant){1}, "a", &a, NULL);
    assert_non_null(w->qube);
    assert_true(delivery_init(&w->delivery));
    w->link.link = (struct link){.kind = &kind, .port = {&w->link.link}};
    delivery_connect(w->qube, &w->link.link.port);
    craft_fill(&seed, w->payload, sizeof w->payload);
    return w;
}

static void forget(struct world *w)
{
    for (size_t i = 0; i < w->link.count; i++)
        free(w->link.kept[i].data);
    w->link.count = 0;
}

static void world_free(struct world *w)
{
    forget(w);
    delivery_clear(&w->delivery);
    router_free(w->router);
    free(w);
}

static void send(struct world *w, struct packet *packets, uint16_t count)
{
    struct packet_batch batch = {
        .packets = packets, .count = count, .capacity = count};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ip_packet_parse(&packets[i]), DROP_NONE);
        if (!packets[i].qube)
            packets[i].qube = w->qube;
    }
    delivery_send(&w->delivery, (struct instant){2}, w->router, &batch);
}

static struct craft sample(const struct world *w, uint8_t protocol, size_t size)
{
    return (struct craft){
        .source = craft_address("198.51.100.7"),
        .destination = craft_address("10.137.0.5"),
        .protocol = protocol,
        .source_port = 443,
        .destination_port = 40000,
        .flags = TCP_ACK,
        .sequence = 1000,
        .payload = {w->payload, size},
    };
}

/* Fragments one after another hold the packet's payload. */
static void assert_joins_to(struct world *w, const struct packet *whole)
{
    size_t at = 20;
    for (size_t i = 0; i < w->link.count; i++) {
        struct packet *p = &w->link.kept[i];
        assert_int_equal(ip_packet_parse(p), DROP_NONE);
        assert_int_equal(p->ip.fragment_offset, at - 20);
        assert_int_equal(p->ip.more_fragments, i + 1 < w->link.count);
        assert_memory_equal(p->data + 20, whole->data + at, p->size - 20);
        at += p->size - 20;
    }
    assert_int_equal(at, whole->size);
}

static void what_came_in_fragments_arrives_in_fragments(void **state)
{
    (void)state;
    struct world *w = world_new();
    for (int dont_fragment = 0; dont_fragment < 2; dont_fragment++)
        for (uint16_t largest = 600; largest <= 1900; largest += 650) {
            struct craft c = sample(w, 17, 20000);
            c.dont_fragment = dont_fragment;
            struct packet p = craft_packet(&c);
            p.fragment_size = largest;
            p.headroom = 14;
            send(w, &p, 1);
            assert_int_equal(p.drop, DROP_NONE);
            for (size_t i = 0; i < w->link.count; i++)
                assert_true(w->link.kept[i].size <= largest &&
                            w->link.kept[i].size <= PACKET_QUBE_MTU);
            assert_joins_to(w, &p);
            forget(w);
            free(p.data);
        }
    /* A packet that would fit the card may still be too large for the way
     * behind it. */
    struct craft c = sample(w, 17, 1400);
    struct packet p = craft_packet(&c);
    p.fragment_size = 600;
    p.headroom = 14;
    send(w, &p, 1);
    assert_int_equal(w->link.count, 3);
    assert_joins_to(w, &p);
    free(p.data);
    world_free(w);
}

/* A tunnel's packets may be larger than a qube's network card's. */
static void what_is_larger_than_the_card_is_cut_if_it_may_be(void **state)
{
    (void)state;
    struct world *w = world_new();
    for (int dont_fragment = 0; dont_fragment < 2; dont_fragment++) {
        struct craft datagram = sample(w, 17, 1560), tcp = sample(w, 6, 6000);
        datagram.dont_fragment = tcp.dont_fragment = dont_fragment;
        struct packet packets[3] = {craft_packet(&datagram),
                                    craft_super_packet(&tcp, 1560),
                                    craft_super_packet(&tcp, 1460)};
        for (int i = 0; i < 3; i++)
            packets[i].headroom = 14;
        send(w, &packets[0], 1);
        assert_int_equal(w->link.count, dont_fragment ? 0 : 2);
        if (!dont_fragment)
            assert_joins_to(w, &packets[0]);
        forget(w);
        send(w, &packets[1], 1);
        assert_int_equal(w->link.count, dont_fragment ? 0 : 5);
        size_t payload = 0;
        for (size_t i = 0; i < w->link.count; i++) {
            assert_true(w->link.kept[i].size <= PACKET_QUBE_MTU);
            assert_true(craft_checksums_right(w->link.kept[i].data,
                                              w->link.kept[i].size));
            payload += w->link.kept[i].size - 40;
        }
        assert_int_equal(payload, dont_fragment ? 0 : 6000);
        forget(w);
        send(w, &packets[2], 1); /* which fits as it is */
        assert_int_equal(w->link.count, 1);
        assert_int_equal(w->link.kept[0].gso_size, 1460);
        forget(w);
        assert_int_equal(packets[0].drop,
                         dont_fragment ? DROP_UNCUTTABLE : DROP_NONE);
        for (int i = 0; i < 3; i++)
            free(packets[i].data);
    }
    world_free(w);
}

static void who_takes_no_super_packets_gets_plain_ones(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct craft c = sample(w, 6, 60000), between = sample(w, 17, 100);
    for (int plain = 0; plain < 2; plain++) {
        struct packet packets[3] = {craft_packet(&between),
                                    craft_super_packet(&c, 60),
                                    craft_packet(&between)};
        for (int i = 0; i < 3; i++)
            packets[i].headroom = 14;
        w->link.plain = plain;
        send(w, packets, 3);
        assert_int_equal(w->link.count, plain ? 1002 : 3);
        assert_int_equal(w->link.kept[w->link.count - 1].size, packets[2].size);
        size_t at = 0;
        for (size_t i = 1; plain && i <= 1000; i++) {
            struct packet *p = &w->link.kept[i];
            assert_true(craft_checksums_right(p->data, p->size));
            assert_int_equal(p->checksum, PACKET_CHECKSUM_VALID);
            assert_int_equal(ip_packet_parse(p), DROP_NONE);
            assert_memory_equal(p->data + p->ip.payload, w->payload + at, 60);
            at += 60;
        }
        forget(w);
        for (int i = 0; i < 3; i++)
            free(packets[i].data);
    }
    world_free(w);
}

/* One that is cut stays in its place among those of its qube. */
static void each_qube_gets_its_own_in_their_order(void **state)
{
    (void)state;
    enum { COUNT = 150, QUBES = 3 };
    struct world *w = world_new();
    struct double_link links[QUBES] = {{.plain = true}};
    struct qube *qubes[QUBES] = {w->qube};
    struct packet packets[COUNT];
    for (int q = 0; q < QUBES; q++) {
        struct address a = address_ipv4(0x0a890010 + (uint32_t)q);
        links[q].link = (struct link){.kind = &kind, .port = {&links[q].link}};
        if (q > 0)
            qubes[q] =
                router_add_qube(w->router, (struct instant){1}, "b", &a, NULL);
        delivery_connect(qubes[q], &links[q].link.port);
    }
    for (uint16_t i = 0; i < COUNT; i++) {
        struct craft c = sample(w, 6, i % 6 ? 100 : 300);
        c.source_port = i;
        packets[i] = i % 6 ? craft_packet(&c) : craft_super_packet(&c, 200);
        packets[i].headroom = 14;
        packets[i].qube = qubes[i * 7 % QUBES];
    }
    for (size_t i = 9; i < COUNT; i += 10)
        packets[i].drop = DROP_TTL;
    send(w, packets, COUNT);
    for (int q = 0; q < QUBES; q++) {
        size_t at = 0;
        for (uint16_t i = 0; i < COUNT; i++)
            for (int part = 0; packets[i].qube == qubes[q] && part < 2; part++)
                if (i % 10 != 9 && (part == 0 || (q == 0 && i % 6 == 0)))
                    assert_int_equal(load_u16(links[q].kept[at++].data + 20),
                                     i);
        assert_int_equal(at, links[q].count);
        assert_true(at > COUNT / 4);
        for (size_t i = 0; i < links[q].count; i++)
            free(links[q].kept[i].data);
    }
    for (int i = 0; i < COUNT; i++)
        free(packets[i].data);
    world_free(w);
}

static void what_cannot_be_cut_is_counted(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct craft c = sample(w, 6, 6000);
    c.dont_fragment = true;
    struct packet p = craft_super_packet(&c, 3000);
    w->link.plain = true;
    p.headroom = 14;
    send(w, &p, 1);
    assert_int_equal(w->link.count, 0);
    assert_int_equal(p.drop, DROP_UNCUTTABLE);
    assert_int_equal(w->qube->drops.count[DROP_UNCUTTABLE], 1);
    free(p.data);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_in_fragments_arrives_in_fragments),
        cmocka_unit_test(what_is_larger_than_the_card_is_cut_if_it_may_be),
        cmocka_unit_test(who_takes_no_super_packets_gets_plain_ones),
        cmocka_unit_test(each_qube_gets_its_own_in_their_order),
        cmocka_unit_test(what_cannot_be_cut_is_counted),
    };
    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
