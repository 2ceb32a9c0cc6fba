#include "gateway/packet/coalesce.h"

#include "gateway/packet/ip_packet.h"
#include "gateway/packet/segment.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"
#include "tests/unit.h"

static const struct burst_layout layout = {.head = 24, .tail = 16};
static const uint8_t timestamps[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

struct fixture {
    struct burst burst;
    struct packet_batch batch;
    struct coalesce *coalesce;
    uint8_t payload[65000];
    uint64_t seed;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_true(burst_init(&f->burst, 4 << 20));
    assert_true(packet_batch_init(&f->batch, 512, 0));
    f->coalesce = coalesce_new();
    f->seed = 99;
    craft_fill(&f->seed, f->payload, sizeof f->payload);
    return f;
}

static void fixture_free(struct fixture *f)
{
    burst_clear(&f->burst);
    packet_batch_clear(&f->batch);
    coalesce_free(f->coalesce);
    free(f);
}

static struct craft sample(const struct fixture *f, bool v6, size_t size)
{
    return (struct craft){
        .source = craft_address(v6 ? "2001:db8::9" : "198.51.100.7"),
        .destination = craft_address(v6 ? "fd09::1" : "10.8.0.2"),
        .protocol = 6,
        .source_port = 443,
        .destination_port = 40000,
        .id = 0xfffe,
        .tos = 2,
        .sequence = 0xfffffff0,
        .acknowledgement = 77,
        .flags = TCP_ACK,
        .window = 500,
        .tcp_options = bytes_of(timestamps, sizeof timestamps),
        .payload = bytes_of(f->payload, size),
    };
}

static void add(struct fixture *f, const struct craft *c)
{
    static uint8_t bytes[CRAFT_SIZE_MAX + 100];
    size_t size = craft_write(c, bytes);
    struct datagram *d = burst_reserve(&f->burst, &layout, (uint32_t)size);
    assert_non_null(d);
    memcpy(d->data + d->inner_offset, bytes, size);
}

static void run(struct fixture *f)
{
    uint16_t next = 0;
    packet_batch_reset(&f->batch);
    assert_true(coalesce(f->coalesce, &f->burst, &next, &f->batch));
    assert_int_equal(next, f->burst.count);
}

/* A joined packet in one piece; free() it. */
static uint8_t *flatten(const struct packet *p)
{
    uint8_t *out = malloc(packet_total(p));
    size_t at = p->size;
    memcpy(out, p->data, p->size);
    for (size_t i = 0; i < p->piece_count; i++) {
        memcpy(out + at, p->pieces[i].data, p->pieces[i].size);
        at += p->pieces[i].size;
    }
    assert_int_equal(at, packet_total(p));
    return out;
}

static void check_round_trip(struct fixture *f, const struct craft *c,
                             uint16_t mss)
{
    struct packet p = craft_super_packet(c, mss);
    struct segment_cursor cursor = {0};
    burst_reset(&f->burst);
    assert_int_equal(parsed_segment(&p, 1500, &layout, &cursor, &f->burst),
                     SEGMENT_DONE);
    uint16_t segments = f->burst.count;
    run(f);
    assert_int_equal(f->batch.count, 1);
    const struct packet *joined = &f->batch.packets[0];
    assert_int_equal(joined->piece_count, segments - 1);
    assert_int_equal(packet_total(joined), p.size);
    if (segments > 1) {
        assert_int_equal(joined->checksum, PACKET_CHECKSUM_PARTIAL);
        assert_int_equal(joined->gso_size, mss);
        assert_int_equal(joined->gso, p.gso);
        uint8_t *flat = flatten(joined);
        assert_memory_equal(flat, p.data, p.size);
        free(flat);
    } else {
        assert_int_equal(joined->checksum, PACKET_CHECKSUM_VALID);
    }

    /* And cut again, the pieces where they are. */
    struct burst *again = calloc(1, sizeof *again);
    assert_true(burst_init(again, 4 << 20));
    struct burst *first = calloc(1, sizeof *first);
    assert_true(burst_init(first, 4 << 20));
    cursor = (struct segment_cursor){0};
    assert_int_equal(parsed_segment(joined, 1500, &layout, &cursor, again),
                     SEGMENT_DONE);
    cursor = (struct segment_cursor){0};
    assert_int_equal(parsed_segment(&p, 1500, &layout, &cursor, first),
                     SEGMENT_DONE);
    assert_int_equal(again->count, segments);
    for (size_t i = 0; i < segments; i++) {
        const struct datagram *a = &again->datagrams[i];
        const struct datagram *b = &first->datagrams[i];
        assert_int_equal(a->inner_size, b->inner_size);
        assert_memory_equal(a->data + a->inner_offset,
                            b->data + b->inner_offset, a->inner_size);
    }
    burst_clear(again);
    burst_clear(first);
    free(again);
    free(first);
    free(p.data);
}

static void joining_undoes_cutting(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    coalesce_join_udp(f->coalesce, true);
    for (int i = 0; i < 200; i++) {
        bool v6 = i % 2, udp = i % 5 == 0;
        uint16_t mss =
            (uint16_t)(IP_GSO_SIZE_MIN + craft_below(&f->seed, 1380));
        uint32_t most = mss * (udp ? 64U : 65U);
        if (most > 60000)
            most = 60000;
        uint32_t size =
            IP_GSO_SIZE_MIN + craft_below(&f->seed, most - IP_GSO_SIZE_MIN + 1);
        struct craft c = sample(f, v6, size);
        c.dont_fragment = i % 3 == 0;
        c.flags = (uint8_t)(TCP_ACK | (craft_random(&f->seed) &
                                       (TCP_PSH | TCP_FIN | TCP_CWR)));
        if (udp)
            c.protocol = 17;
        check_round_trip(f, &c, mss);
    }
    fixture_free(f);
}

static void interleaved_flows_are_joined_each(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct craft a = sample(f, false, 1000), b = sample(f, true, 500);
    for (int i = 0; i < 10; i++) {
        add(f, &a);
        add(f, &b);
        a.sequence += 1000;
        b.sequence += 500;
        a.id++;
    }
    run(f);
    assert_int_equal(f->batch.count, 2);
    assert_int_equal(f->batch.packets[0].piece_count, 9);
    assert_int_equal(f->batch.packets[1].piece_count, 9);
    for (int i = 0; i < 2; i++) {
        const struct packet *p = &f->batch.packets[i];
        assert_true(craft_partial_right(p->data, p->size, packet_total(p)));
    }
    fixture_free(f);
}

/* Changes one thing between two segments that would be joined. */
enum change {
    NOTHING,
    SEQUENCE,
    ACKNOWLEDGEMENT,
    WINDOW,
    FLAGS,
    OPTIONS,
    TTL,
    TOS,
    ID,
    DF,
    PORT,
    BIGGER,
    CWR_LATER,
    PUSHED_BEFORE,
    EMPTY,
    CHANGES
};

static void change(struct craft *first, struct craft *c, enum change what)
{
    static const uint8_t other[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 9};
    switch (what) {
    case SEQUENCE:
        c->sequence++;
        break;
    case ACKNOWLEDGEMENT:
        c->acknowledgement++;
        break;
    case WINDOW:
        c->window++;
        break;
    case FLAGS:
        c->flags |= TCP_ECE;
        break;
    case OPTIONS:
        c->tcp_options = bytes_of(other, sizeof other);
        break;
    case TTL:
        c->ttl = 63;
        break;
    case TOS:
        c->tos ^= 4;
        break;
    case ID:
        c->id++;
        break;
    case DF:
        c->dont_fragment = !c->dont_fragment;
        break;
    case PORT:
        c->destination_port++;
        break;
    case BIGGER:
        c->payload.size++;
        break;
    case CWR_LATER:
        c->flags |= TCP_CWR;
        break;
    case PUSHED_BEFORE:
        first->flags |= TCP_PSH;
        break;
    case EMPTY:
        c->payload.size = 0;
        break;
    case NOTHING:
    case CHANGES:
        break;
    }
}

static void only_true_neighbours_are_joined(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (enum change what = NOTHING; what < CHANGES; what++) {
        struct craft a = sample(f, false, 1000), b = a;
        b.sequence += 1000;
        b.id++;
        change(&a, &b, what);
        burst_reset(&f->burst);
        add(f, &a);
        add(f, &b);
        run(f);
        assert_int_equal(f->batch.count, what == NOTHING ? 1 : 2);
    }
    fixture_free(f);
}

static void order_within_a_flow_is_kept(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct craft a = sample(f, false, 1000), ack = sample(f, false, 0);
    add(f, &a);
    a.sequence += 1000, a.id++;
    add(f, &a);
    ack.sequence = a.sequence + 1000;
    add(f, &ack); /* a pure ACK between two data segments */
    a.sequence += 1000, a.id++;
    add(f, &a);
    run(f);
    assert_int_equal(f->batch.count, 3);
    assert_int_equal(packet_total(&f->batch.packets[0]), 2052);
    assert_int_equal(packet_total(&f->batch.packets[1]), 52);
    assert_int_equal(packet_total(&f->batch.packets[2]), 1052);
    fixture_free(f);
}

static void a_wrong_checksum_is_not_laundered(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct craft c = sample(f, false, 1000);
    for (int i = 0; i < 4; i++, c.sequence += 1000, c.id++)
        add(f, &c);
    f->burst.datagrams[1].data[24 + 700] ^= 1;
    run(f);
    assert_int_equal(f->batch.count, 3);
    assert_int_equal(f->batch.packets[0].drop, DROP_NONE);
    assert_int_equal(f->batch.packets[0].checksum, PACKET_CHECKSUM_VALID);
    assert_int_equal(f->batch.packets[1].drop, DROP_TRANSPORT_CHECKSUM);
    assert_int_equal(f->batch.packets[2].piece_count, 1);
    fixture_free(f);
}

static void udp_without_a_checksum_is_passed_on_alone(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    coalesce_join_udp(f->coalesce, true);
    struct craft c = sample(f, false, 1000);
    c.protocol = 17;
    c.dont_fragment = true;
    c.udp_without_checksum = true;
    for (int i = 0; i < 3; i++)
        add(f, &c);
    run(f);
    assert_int_equal(f->batch.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->batch.packets[i].drop, DROP_NONE);
        assert_int_equal(f->batch.packets[i].checksum, PACKET_CHECKSUM_NONE);
    }
    /* With one they are joined, but not where that is not wanted. */
    c.udp_without_checksum = false;
    for (int join = 0; join < 2; join++) {
        coalesce_join_udp(f->coalesce, join);
        burst_reset(&f->burst);
        for (int i = 0; i < 3; i++)
            add(f, &c);
        run(f);
        assert_int_equal(f->batch.count, join ? 1 : 3);
    }
    fixture_free(f);
}

/* It would be cut finer than it was, with identifications that the sender
 * gives to others. */
static void what_a_network_card_would_have_cut_is_not_joined(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (int dont_fragment = 0; dont_fragment < 2; dont_fragment++) {
        for (size_t size = 1500; size <= 1501; size++) {
            struct craft c = sample(f, false, size - 52);
            c.dont_fragment = dont_fragment;
            burst_reset(&f->burst);
            for (int i = 0; i < 3; i++) {
                add(f, &c);
                c.id++;
                c.sequence += (uint32_t)c.payload.size;
            }
            run(f);
            assert_int_equal(f->batch.count,
                             size > 1500 && !dont_fragment ? 3 : 1);
        }
    }
    fixture_free(f);
}

static void a_full_batch_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct packet_batch small;
    assert_true(packet_batch_init(&small, 3, 0));
    struct craft c = sample(f, false, 100);
    for (int i = 0; i < 8; i++) {
        add(f, &c);
        c.sequence += 5000;
    }
    f->burst.datagrams[2].drop = DROP_DATA_AUTH;
    f->burst.datagrams[3].inner_size = 0;
    uint16_t next = 0, packets = 0;
    bool done;
    do {
        packet_batch_reset(&small);
        done = coalesce(f->coalesce, &f->burst, &next, &small);
        packets = (uint16_t)(packets + small.count);
    } while (!done);
    assert_int_equal(packets, 6);
    packet_batch_clear(&small);
    fixture_free(f);
}

static void the_sum_of_pieces_stays_below_the_limits(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct craft c = sample(f, false, 1448);
    for (int i = 0; i < 400; i++, c.sequence += 1448, c.id++)
        add(f, &c);
    run(f);
    uint32_t segments = 0;
    for (int i = 0; i < f->batch.count; i++) {
        const struct packet *p = &f->batch.packets[i];
        assert_true(packet_total(p) <= PACKET_SIZE_MAX);
        assert_true(p->piece_count <= PACKET_PIECES_MAX);
        segments += p->piece_count + 1U;
    }
    assert_int_equal(segments, 400);
    assert_true(f->batch.count <= 10);
    fixture_free(f);
}

static void garbage_becomes_packets_of_its_own(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint64_t seed = 4;
    for (int i = 0; i < 200; i++) {
        size_t size = 1 + craft_below(&seed, 60);
        struct datagram *d = burst_reserve(&f->burst, &layout, (uint32_t)size);
        craft_fill(&seed, d->data + d->inner_offset, size);
    }
    run(f);
    assert_int_equal(f->batch.count, 200);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joining_undoes_cutting),
        cmocka_unit_test(interleaved_flows_are_joined_each),
        cmocka_unit_test(only_true_neighbours_are_joined),
        cmocka_unit_test(order_within_a_flow_is_kept),
        cmocka_unit_test(a_wrong_checksum_is_not_laundered),
        cmocka_unit_test(udp_without_a_checksum_is_passed_on_alone),
        cmocka_unit_test(what_a_network_card_would_have_cut_is_not_joined),
        cmocka_unit_test(a_full_batch_goes_on_where_it_stopped),
        cmocka_unit_test(the_sum_of_pieces_stays_below_the_limits),
        cmocka_unit_test(garbage_becomes_packets_of_its_own),
    };
    return cmocka_run_group_tests_name("coalesce", tests, NULL, NULL);
}
