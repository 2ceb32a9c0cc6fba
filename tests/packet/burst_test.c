#include "gateway/packet/burst.h"

#include "tests/unit.h"

/* The layouts that tunnels ask for: AES-GCM with short and long packet numbers,
 * CBC with SHA1, the same with the swap framing, WireGuard with an MTU that is
 * no multiple of the block and with one that is, a stream of nothing. */
static const struct burst_layout layouts[] = {
    {.head = 24},
    {.head = 12, .tail = 16},
    {.head = 40 + 4, .lead = 4, .block = 16},
    {.head = 40 + 5, .lead = 5, .block = 16, .tail = 1, .trail = 1},
    {.head = 28 + 8, .lead = 4, .block = 8, .tail = 3},
    {.head = 16, .block = 16, .tail = 16, .limit = 1420},
    {.head = 16, .block = 16, .tail = 16, .limit = 1280},
    {0},
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static void sealed_sizes_are_what_the_ciphers_add(void **state)
{
    (void)state;
    const struct burst_layout gcm = {.head = 8, .tail = 16};
    assert_int_equal(burst_sealed_size(&gcm, 0), 24);
    assert_int_equal(burst_sealed_size(&gcm, 1400), 1424);

    /* 4 of number inside the blocks of 16, one byte of padding at least. */
    const struct burst_layout cbc = {.head = 44, .lead = 4, .block = 16};
    assert_int_equal(burst_sealed_size(&cbc, 0), 40 + 16);
    assert_int_equal(burst_sealed_size(&cbc, 11), 40 + 16);
    assert_int_equal(burst_sealed_size(&cbc, 12), 40 + 32);
    assert_int_equal(burst_sealed_size(&cbc, 27), 40 + 32);
    assert_int_equal(burst_sealed_size(&cbc, 28), 40 + 48);

    /* One more behind the packet, and it counts. */
    const struct burst_layout swap = {
        .head = 44, .lead = 4, .block = 16, .tail = 1, .trail = 1};
    assert_int_equal(burst_sealed_size(&swap, 10), 40 + 16);
    assert_int_equal(burst_sealed_size(&swap, 11), 40 + 32);
}

static void zeros_fill_a_block_but_never_beyond_the_limit(void **state)
{
    (void)state;
    const struct burst_layout odd = {
        .head = 16, .block = 16, .tail = 16, .limit = 1420};
    for (uint32_t size = 0; size <= 1500; size++) {
        uint32_t rounded = (size + 15) / 16 * 16;
        uint32_t body = size > 1420 ? size : rounded < 1420 ? rounded : 1420;
        assert_int_equal(burst_padded_size(&odd, size), body);
        assert_int_equal(burst_sealed_size(&odd, size), 32 + body);
    }
    assert_int_equal(burst_sealed_size(&odd, 0), 32); /* a keepalive */
    assert_int_equal(burst_sealed_size(&odd, 1408), 32 + 1408);
    assert_int_equal(burst_sealed_size(&odd, 1409), 32 + 1420);
}

static void the_inner_size_is_the_largest_that_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++)
        for (uint32_t sealed = 0; sealed < 2000; sealed++) {
            uint32_t inner = burst_inner_size(&layouts[i], sealed);
            assert_true(burst_sealed_size(&layouts[i], inner + 1) > sealed);
            if (inner > 0)
                assert_true(burst_sealed_size(&layouts[i], inner) <= sealed);
        }
}

static void datagrams_lie_back_to_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUTS; i++) {
        struct burst *b = malloc(sizeof *b);
        assert_non_null(b);
        assert_true(burst_init(b, 100000));
        uint32_t used = 0;
        for (uint32_t size = 1; size < 200; size += 13) {
            struct datagram *d = burst_reserve(b, &layouts[i], size);
            assert_non_null(d);
            assert_ptr_equal(d->data, b->memory + used);
            assert_int_equal(d->size, burst_sealed_size(&layouts[i], size));
            assert_int_equal(d->inner_offset, layouts[i].head);
            assert_int_equal(d->inner_size, size);
            assert_int_equal(d->drop, DROP_NONE);
            memset(d->data, 0xee, d->size);
            used += d->size;
        }
        assert_int_equal(b->used, used);
        burst_reset(b);
        assert_int_equal(b->count, 0);
        assert_ptr_equal(burst_reserve(b, &layouts[i], 1)->data, b->memory);
        burst_clear(b);
        free(b);
    }
}

static void a_full_burst_takes_no_more(void **state)
{
    (void)state;
    const struct burst_layout layout = {.head = 8, .tail = 16};
    struct burst *b = malloc(sizeof *b);
    assert_non_null(b);
    assert_true(burst_init(b, 250));
    assert_non_null(burst_reserve(b, &layout, 100));
    assert_null(burst_reserve(b, &layout, 103));
    assert_int_equal(b->used, 124);
    assert_int_equal(b->count, 1);
    assert_non_null(burst_reserve(b, &layout, 102));
    assert_int_equal(b->used, 250);
    assert_null(burst_reserve(b, &layout, 0));
    burst_clear(b);

    assert_true(burst_init(b, 100000));
    for (int i = 0; i < BURST_DATAGRAMS_MAX; i++)
        assert_non_null(burst_reserve(b, &layout, 1));
    uint32_t used = b->used;
    assert_null(burst_reserve(b, &layout, 1));
    assert_int_equal(b->used, used);
    burst_clear(b);
    free(b);
}

static void what_no_datagram_can_hold_is_refused(void **state)
{
    (void)state;
    const struct burst_layout layout = {.head = 8, .tail = 16};
    struct burst *b = malloc(sizeof *b);
    assert_non_null(b);
    assert_true(burst_init(b, 200000));
    assert_null(burst_reserve(b, &layout, 65536 - 24));
    assert_null(burst_reserve(b, &layout, 65536));
    assert_null(burst_reserve(b, &layout, UINT32_MAX));
    assert_null(burst_reserve(b, &layout, UINT32_MAX - 23));
    struct datagram *d = burst_reserve(b, &layout, 65535 - 24);
    assert_non_null(d);
    assert_int_equal(d->size, 65535);
    burst_clear(b);
    free(b);
}

static void views_point_where_they_are_told(void **state)
{
    (void)state;
    struct burst *b = malloc(sizeof *b);
    uint8_t elsewhere[4];
    assert_non_null(b);
    assert_true(burst_init(b, 0));
    for (int i = 0; i < BURST_DATAGRAMS_MAX; i++)
        assert_true(burst_add_view(b, elsewhere, sizeof elsewhere));
    assert_false(burst_add_view(b, elsewhere, sizeof elsewhere));
    assert_int_equal(b->count, BURST_DATAGRAMS_MAX);
    assert_ptr_equal(b->datagrams[7].data, elsewhere);
    assert_int_equal(b->datagrams[7].size, 4);
    assert_int_equal(b->datagrams[7].inner_size, 0);
    const struct burst_layout layout = {.head = 8, .tail = 16};
    burst_reset(b);
    assert_null(burst_reserve(b, &layout, 1)); /* it has no memory */
    burst_clear(b);
    free(b);
}

/* Datagrams of at most 120 bytes, of which `cut` hold packet and framing. */
static const struct burst_layout cutting[] = {
    {.head = 20, .cut = 100},
    {.head = 21, .lead = 1, .cut = 100, .extra = 1},
    {.head = 44, .lead = 8, .block = 16, .cut = 70},
    {.head = 45, .lead = 9, .block = 16, .cut = 70, .extra = 1},
    {.head = 44,
     .lead = 8,
     .block = 16,
     .tail = 1,
     .trail = 1,
     .cut = 70,
     .extra = 1},
};

/* Moves the pieces to their places, in order, as who cuts does. */
static void cut_and_compare(const struct burst_layout *layout,
                            const struct datagram *d, struct bytes packet)
{
    struct burst_pieces pieces = burst_pieces_of(layout, (uint32_t)packet.size);
    uint8_t lead = layout->trail ? 0 : (uint8_t)layout->extra;
    const uint8_t *from = d->data + d->inner_offset - lead;
    uint8_t out[2000];
    size_t left = packet.size + layout->extra, at = 0;
    memcpy(d->data + d->inner_offset, packet.data, packet.size);
    for (uint32_t i = 0; i < pieces.count; i++) {
        size_t size = i + 1 < pieces.count ? pieces.size : pieces.last;
        uint8_t *to = d[i].data + layout->head - lead;
        assert_true(to <= from && to + size <= d[i].data + d[i].size);
        memmove(to, from, size);
        memcpy(out + at, to, size);
        memset(d[i].data, 0xee, d[i].size);
        from += size;
        at += size;
        left -= size;
    }
    assert_int_equal(left, 0);
    assert_bytes_equal(bytes_of(out + lead, packet.size), packet);
}

static void a_packet_that_is_cut_has_room_for_its_pieces(void **state)
{
    (void)state;
    uint8_t packet[1200];
    uint32_t random = 3;
    struct burst *b = malloc(sizeof *b);
    assert_non_null(b);
    assert_true(burst_init(b, 100000));
    for (size_t i = 0; i < sizeof cutting / sizeof *cutting; i++)
        for (uint32_t size = 1; size < sizeof packet; size++) {
            burst_reset(b);
            struct datagram *d = burst_reserve(b, &cutting[i], size);
            struct burst_pieces pieces = burst_pieces_of(&cutting[i], size);
            assert_non_null(d);
            assert_int_equal(b->count, pieces.count);
            assert_int_equal(d->inner_size, size);
            uint32_t used = 0;
            for (uint32_t k = 0; k < pieces.count; k++) {
                assert_ptr_equal(d[k].data, b->memory + used);
                assert_in_range(d[k].size, 1, 120);
                assert_true(k == 0 || d[k].inner_size == 0);
                used += d[k].size;
            }
            assert_int_equal(b->used, used);
            random_bytes(&random, packet, size);
            cut_and_compare(&cutting[i], d, bytes_of(packet, size));
        }
    burst_clear(b);
    free(b);
}

static void pieces_that_have_no_room_are_refused_together(void **state)
{
    (void)state;
    const struct burst_layout layout = {.head = 20, .cut = 100};
    const struct burst_layout nothing = {.head = 20, .cut = 3};
    struct burst *b = malloc(sizeof *b);
    assert_non_null(b);
    assert_true(burst_init(b, 200000));
    assert_null(burst_reserve(b, &nothing, 4));
    assert_null(burst_reserve(b, &layout, BURST_PIECES_MAX * 100 + 1));
    assert_non_null(burst_reserve(b, &layout, BURST_PIECES_MAX * 100));
    assert_int_equal(b->count, BURST_PIECES_MAX);
    while (b->count < BURST_DATAGRAMS_MAX - 2)
        assert_non_null(burst_reserve(b, &layout, 1));
    uint32_t used = b->used;
    assert_null(burst_reserve(b, &layout, 201));
    assert_int_equal(b->count, BURST_DATAGRAMS_MAX - 2);
    assert_int_equal(b->used, used);
    assert_non_null(burst_reserve(b, &layout, 200));
    burst_clear(b);

    assert_true(burst_init(b, 359));
    assert_null(burst_reserve(b, &layout, 300));
    assert_int_equal(b->count, 0);
    burst_clear(b);
    free(b);
}

static void views_have_places_until_the_burst_is_reset(void **state)
{
    (void)state;
    struct burst *b = malloc(sizeof *b);
    assert_non_null(b);
    assert_true(burst_init(b, 0));
    for (int round = 0; round < 2; round++) {
        uint8_t *first = burst_place(b), *before = first;
        assert_non_null(first);
        for (int i = 1; i < BURST_DATAGRAMS_MAX; i++) {
            uint8_t *place = burst_place(b);
            assert_true(place >= before + BURST_PLACE_SIZE);
            before = place;
        }
        memset(before, 1, BURST_PLACE_SIZE);
        assert_null(burst_place(b));
        burst_reset(b);
    }
    burst_clear(b);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_sizes_are_what_the_ciphers_add),
        cmocka_unit_test(zeros_fill_a_block_but_never_beyond_the_limit),
        cmocka_unit_test(the_inner_size_is_the_largest_that_fits),
        cmocka_unit_test(datagrams_lie_back_to_back),
        cmocka_unit_test(a_full_burst_takes_no_more),
        cmocka_unit_test(what_no_datagram_can_hold_is_refused),
        cmocka_unit_test(a_packet_that_is_cut_has_room_for_its_pieces),
        cmocka_unit_test(pieces_that_have_no_room_are_refused_together),
        cmocka_unit_test(views_have_places_until_the_burst_is_reset),
        cmocka_unit_test(views_point_where_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
