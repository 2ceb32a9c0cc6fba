#include "gateway/openvpn/data/reassembly.h"

#include "tests/unit.h"

enum { UNIT = 100, PIECES = 4, LAST = 37, SIZE = (PIECES - 1) * UNIT + LAST };

struct trial {
    struct reassembly *r;
    struct instant now;
    struct burst burst;
    bool full; /* the burst has no place left */
    uint8_t packet[BURST_PLACE_SIZE];
};

static void set_up(struct trial *t)
{
    uint32_t random = 7;
    *t = (struct trial){.r = reassembly_new(), .now = {1000000}};
    assert_non_null(t->r);
    assert_true(burst_init(&t->burst, 0));
    random_bytes(&random, t->packet, sizeof t->packet);
}

static void tear_down(struct trial *t)
{
    reassembly_free(t->r);
    burst_clear(&t->burst);
}

/* One piece with this header, an exact copy so that no byte beyond it is
 * read. */
static const struct datagram *take(struct trial *t, struct fragment_header h,
                                   struct bytes bytes)
{
    uint8_t *copy = exact_copy(bytes.data, bytes.size);
    burst_reset(&t->burst);
    assert_true(burst_add_view(&t->burst, copy, (uint16_t)bytes.size));
    struct datagram *d = &t->burst.datagrams[0];
    d->inner_size = (uint16_t)bytes.size;
    while (t->full && burst_place(&t->burst))
        continue;
    reassembly_take(t->r, t->now, &h, &t->burst, d);
    assert_true(d->inner_size == 0 || d->data != copy);
    free(copy);
    return d;
}

/* Piece `number` of the packet with that sequence. */
static const struct datagram *piece(struct trial *t, uint8_t sequence,
                                    uint8_t number)
{
    bool is_last = number == PIECES - 1;
    return take(
        t,
        (struct fragment_header){is_last ? FRAGMENT_LAST : FRAGMENT_MORE,
                                 sequence, number, is_last ? UNIT : 0},
        bytes_of(t->packet + (size_t)number * UNIT, is_last ? LAST : UNIT));
}

static void is_held(const struct datagram *d)
{
    assert_int_equal(d->drop, DROP_NONE);
    assert_int_equal(d->inner_size, 0);
}

static void is_packet(const struct trial *t, const struct datagram *d)
{
    assert_int_equal(d->drop, DROP_NONE);
    assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                       bytes_of(t->packet, SIZE));
}

static void pieces_in_every_order_are_a_packet(void **state)
{
    (void)state;
    struct trial t;
    uint8_t sequence = 250; /* it wraps */
    set_up(&t);
    for (unsigned order = 0; order < 256; order++) {
        unsigned mask = 0;
        uint8_t numbers[PIECES];
        for (size_t i = 0; i < PIECES; i++) {
            numbers[i] = (uint8_t)(order >> 2 * i & 3);
            mask |= 1U << numbers[i];
        }
        if (mask != 0xf)
            continue;
        for (size_t i = 0; i < PIECES; i++) {
            const struct datagram *d = piece(&t, sequence, numbers[i]);
            if (i + 1 < PIECES)
                is_held(d);
            else
                is_packet(&t, d);
        }
        sequence++;
    }
    assert_int_equal(reassembly_lost(t.r), 0);
    tear_down(&t);
}

static void packets_may_be_mixed(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    for (uint8_t number = 0; number < PIECES; number++)
        for (uint8_t i = 0; i < REASSEMBLY_PACKETS; i++) {
            uint8_t sequence = (uint8_t)(240 + i);
            const struct datagram *d = piece(&t, sequence, number);
            if (number + 1 < PIECES)
                is_held(d);
            else
                is_packet(&t, d);
        }
    assert_int_equal(reassembly_lost(t.r), 0);
    tear_down(&t);
}

/* One more than is kept: the oldest of them gives way, and its pieces are no
 * other packet's. */
static void the_oldest_gives_way(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    is_held(piece(&t, 1, 0));
    is_held(piece(&t, 1, 1));
    is_held(piece(&t, (uint8_t)(1 + REASSEMBLY_PACKETS), 0));
    assert_int_equal(reassembly_lost(t.r), 2);
    assert_int_equal(reassembly_lost(t.r), 0);
    is_held(piece(&t, (uint8_t)(1 + REASSEMBLY_PACKETS), 1));
    is_held(piece(&t, (uint8_t)(1 + REASSEMBLY_PACKETS), 3));
    is_packet(&t, piece(&t, (uint8_t)(1 + REASSEMBLY_PACKETS), 2));
    tear_down(&t);
}

/* 256 packets later the sequence is another packet's. */
static void a_sequence_that_comes_again_is_another_packet(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    is_held(piece(&t, 9, 0));
    is_held(piece(&t, 9, 1));
    for (unsigned i = 10; i < 9 + 256; i += 20)
        is_held(piece(&t, (uint8_t)i, 0));
    is_held(piece(&t, 9, 2));
    is_held(piece(&t, 9, 3));
    tear_down(&t);
}

static void a_piece_that_comes_twice_begins_another_packet(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    is_held(piece(&t, 9, 0));
    is_held(piece(&t, 9, 1));
    is_held(piece(&t, 9, 1));
    assert_int_equal(reassembly_lost(t.r), 2);
    is_held(piece(&t, 9, 2));
    is_held(piece(&t, 9, 3));
    is_packet(&t, piece(&t, 9, 0));
    tear_down(&t);
}

static void pieces_do_not_wait_for_ever(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    for (uint8_t number = 0; number + 1 < PIECES; number++)
        is_held(piece(&t, 9, number));
    t.now = instant_after(t.now, duration_seconds(REASSEMBLY_SECONDS));
    is_held(piece(&t, 9, PIECES - 1));
    assert_int_equal(reassembly_lost(t.r), PIECES - 1);
    t.now = instant_after(t.now, duration_seconds(REASSEMBLY_SECONDS - 1));
    for (uint8_t number = 1; number + 1 < PIECES; number++)
        is_held(piece(&t, 9, number));
    is_packet(&t, piece(&t, 9, 0));
    tear_down(&t);
}

/* Another size, another last piece, a piece behind the last: none of them
 * makes a packet with what came before. */
static void contradictions_begin_another_packet(void **state)
{
    (void)state;
    const struct {
        struct fragment_header h;
        uint16_t size;
    } others[] = {
        {{FRAGMENT_MORE, 9, 1, 0}, UNIT - 4},
        {{FRAGMENT_LAST, 9, 1, UNIT - 4}, 20},
        {{FRAGMENT_LAST, 9, 1, UNIT}, 20}, /* before one that is here */
        {{FRAGMENT_LAST, 9, 4, UNIT}, 20},
        {{FRAGMENT_MORE, 9, 5, 0}, UNIT},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct trial t;
        set_up(&t);
        is_held(piece(&t, 9, 0));
        is_held(piece(&t, 9, 2));
        is_held(piece(&t, 9, 3));
        is_held(take(&t, others[i].h, bytes_of(t.packet, others[i].size)));
        assert_int_equal(reassembly_lost(t.r), 3);
        tear_down(&t);
    }
}

static void what_cannot_be_a_piece_is_dropped(void **state)
{
    (void)state;
    const struct {
        struct fragment_header h;
        uint16_t size;
    } wrong[] = {
        {{FRAGMENT_MORE, 9, 0, 0}, 0},
        {{FRAGMENT_MORE, 9, 0, 0}, 101},   /* no multiple of 4 */
        {{FRAGMENT_MORE, 9, 31, 0}, 4},    /* after it there is no last one */
        {{FRAGMENT_LAST, 9, 3, 0}, 4},     /* pieces of nothing */
        {{FRAGMENT_LAST, 9, 3, 100}, 104}, /* larger than the others */
        {{FRAGMENT_LAST, 9, 3, 100}, 0},
        {{FRAGMENT_MORE, 9, 20, 0}, 100}, /* past a packet's end */
        {{FRAGMENT_LAST, 9, 20, 100}, 49},
        {{FRAGMENT_LAST, 9, 31, UINT16_MAX - 3}, 4},
        {{FRAGMENT_MORE, 9, 0, 0}, BURST_PLACE_SIZE + 4},
    };
    struct trial t;
    uint8_t *bytes = calloc(1, BURST_PLACE_SIZE + 4);
    set_up(&t);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct datagram *d =
            take(&t, wrong[i].h, bytes_of(bytes, wrong[i].size));
        assert_int_equal(d->drop, DROP_DATA_FRAGMENT);
        assert_int_equal(d->inner_size, 0);
    }
    assert_int_equal(reassembly_lost(t.r), 0);
    free(bytes);
    tear_down(&t);
}

static void the_largest_packet_fills_its_place(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    for (uint8_t number = 0; number < BURST_PIECES_MAX; number++) {
        bool is_last = number == BURST_PIECES_MAX - 1;
        enum { PART = BURST_PLACE_SIZE / BURST_PIECES_MAX };
        const struct datagram *d = take(
            &t,
            (struct fragment_header){is_last ? FRAGMENT_LAST : FRAGMENT_MORE, 1,
                                     number, is_last ? PART : 0},
            bytes_of(t.packet + (size_t)number * PART, PART));
        if (is_last)
            assert_bytes_equal(bytes_of(d->data, d->inner_size),
                               bytes_of(t.packet, BURST_PLACE_SIZE));
        else
            is_held(d);
    }
    tear_down(&t);
}

/* Each of its pieces is counted once: the last one by its datagram. */
static void a_packet_without_a_place_is_lost(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t);
    for (uint8_t number = 0; number < PIECES - 1; number++)
        is_held(piece(&t, 1, number));
    t.full = true;
    const struct datagram *d = piece(&t, 1, PIECES - 1);
    assert_int_equal(d->drop, DROP_DATA_FRAGMENT_LOST);
    assert_int_equal(d->inner_size, 0);
    assert_int_equal(reassembly_lost(t.r), PIECES - 1);
    tear_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_in_every_order_are_a_packet),
        cmocka_unit_test(packets_may_be_mixed),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(a_sequence_that_comes_again_is_another_packet),
        cmocka_unit_test(a_piece_that_comes_twice_begins_another_packet),
        cmocka_unit_test(pieces_do_not_wait_for_ever),
        cmocka_unit_test(contradictions_begin_another_packet),
        cmocka_unit_test(what_cannot_be_a_piece_is_dropped),
        cmocka_unit_test(the_largest_packet_fills_its_place),
        cmocka_unit_test(a_packet_without_a_place_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
