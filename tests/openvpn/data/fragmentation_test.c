#include "gateway/openvpn/data/fragmentation.h"

#include "gateway/openvpn/data/compression.h"
#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

static const struct instant now = {1000000};

static void without_a_limit_nothing_is_changed(void **state)
{
    (void)state;
    struct fragmentation f = {.max = 0};
    const struct burst_layout channel = {.head = 24, .block = 1};
    struct burst_layout layout = fragmentation_layout(&f, channel);
    assert_memory_equal(&layout, &channel, sizeof layout);
    uint8_t packet[] = {0, 0, 0, 1, 2};
    struct burst burst = {0};
    assert_true(burst_add_view(&burst, packet, sizeof packet));
    burst.datagrams[0].inner_size = sizeof packet;
    fragmentation_cut(&f, &layout, &burst);
    fragmentation_join(&f, now, &burst, 0, 1);
    assert_int_equal(burst.datagrams[0].inner_size, sizeof packet);
    assert_int_equal(burst.datagrams[0].inner_offset, 0);
}

/* The content of one datagram, as its bytes. */
static void pieces_are_openvpns(void **state)
{
    (void)state;
    struct fragmentation f = {.max = 16, .sequence = 0x95};
    struct burst_layout layout =
        fragmentation_layout(&f, (struct burst_layout){0});
    struct burst burst;
    assert_int_equal(layout.cut, 12);
    assert_true(burst_init(&burst, 1000));
    static const char packets[] = "0123456789ab0123456789abcdefghij";
    static const uint8_t sizes[] = {12, 20};
    for (size_t i = 0, at = 0; i < 2; at += sizes[i++]) {
        struct datagram *d = burst_reserve(&burst, &layout, sizes[i]);
        memcpy(d->data + d->inner_offset, packets + at, sizes[i]);
    }
    fragmentation_cut(&f, &layout, &burst);
    assert_int_equal(burst.count, 3);
    assert_bytes_equal(bytes_of(burst.memory, burst.used),
                       bytes_of("\0\0\0\0"
                                "0123456789ab"
                                "\x00\x00\x02\x55"
                                "0123456789ab"
                                "\x00\x01\x86\x56"
                                "cdefghij",
                                16 + 16 + 12));
    assert_int_equal(f.sequence, 0x96);
    burst_clear(&burst);
}

/* A channel with a limit; sizes of packets up to more than any has. */
struct trial {
    struct channel_pair p;
    struct compression c;
    struct fragmentation out, in;
    struct burst_layout channel, framed, layout;
};

static void set_up(struct trial *t, struct channel_kind kind,
                   enum config_compression framing, uint16_t max)
{
    *t = (struct trial){
        .c.kind = framing, .out.max = max, .out.sequence = 250, .in.max = max};
    channel_pair_init(&t->p, kind);
    t->channel = data_channel_layout(t->p.client);
    t->framed = fragmentation_layout(&t->out, t->channel);
    t->layout = compression_layout(&t->c, t->framed);
}

static void tear_down(struct trial *t)
{
    channel_pair_clear(&t->p);
    fragmentation_clear(&t->in);
}

static void seal(struct trial *t)
{
    compression_frame(&t->c, &t->p.out);
    fragmentation_cut(&t->out, &t->framed, &t->p.out);
    data_channel_seal(t->p.client, &t->p.out);
}

static void open_all(struct trial *t)
{
    data_channel_open(t->p.server, now, &t->p.in, 0, t->p.in.count);
    fragmentation_join(&t->in, now, &t->p.in, 0, t->p.in.count);
    compression_unframe(&t->c, &t->p.in, 0, t->p.in.count);
}

/* Packets of growing sizes, each with bytes of its own. */
static void check(struct trial *t, uint16_t max)
{
    enum { STEP = 73, PACKET_MAX = 1500 };
    static uint8_t packets[PACKET_MAX / STEP + 1][PACKET_MAX];
    uint32_t random = max, count = 0;
    for (uint32_t size = 1; size <= PACKET_MAX; size += STEP, count++) {
        random_bytes(&random, packets[count], size);
        packets[count][0] = 0x45;
        struct datagram *d = burst_reserve(&t->p.out, &t->layout, size);
        if (!d) { /* too many pieces */
            assert_true(size >
                        BURST_PIECES_MAX * ((uint32_t)t->layout.cut - 4));
            break;
        }
        memcpy(d->data + d->inner_offset, packets[count], size);
    }
    assert_true(count > 3);
    seal(t);
    for (size_t i = 0; i < t->p.out.count; i++) {
        const struct datagram *d = &t->p.out.datagrams[i];
        assert_int_equal(d->drop, DROP_NONE);
        assert_in_range(d->size, 1, max);
        assert_true(burst_add_view(&t->p.in, d->data, d->size));
    }
    open_all(t);
    uint32_t found = 0;
    for (size_t i = 0; i < t->p.in.count; i++) {
        const struct datagram *d = &t->p.in.datagrams[i];
        assert_int_equal(d->drop, DROP_NONE);
        if (d->inner_size == 0)
            continue;
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           bytes_of(packets[found], 1 + found * STEP));
        found++;
    }
    assert_int_equal(found, count);
    assert_int_equal(fragmentation_lost(&t->in), 0);
}

static void packets_go_round_in_every_channel(void **state)
{
    (void)state;
    static const struct channel_kind channels[] = {
        {.cipher = "AES-128-GCM"},
        {.cipher = "AES-128-GCM", .epoch = true},
        {.cipher = "CHACHA20-POLY1305"},
        {.cipher = "AES-128-CBC", .digest = "SHA1"},
        {.cipher = "AES-256-CBC", .digest = "SHA512"},
    };
    static const enum config_compression framings[] = {
        CONFIG_COMPRESSION_NONE, CONFIG_COMPRESSION_LZO,
        CONFIG_COMPRESSION_STUB, CONFIG_COMPRESSION_STUB_V2};
    static const uint16_t limits[] = {161,  162,  200,  301,  576,
                                      1000, 1300, 1499, 1530, 2000};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (size_t j = 0; j < sizeof framings / sizeof *framings; j++)
            for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
                struct trial t;
                set_up(&t, channels[i], framings[j], limits[k]);
                check(&t, limits[k]);
                tear_down(&t);
            }
}

/* All packets of a full burst stay where they are until the next one. */
static void a_full_burst_of_pieces_is_joined(void **state)
{
    (void)state;
    struct trial t;
    uint8_t packet[1400] = {0x45};
    set_up(&t, (struct channel_kind){.cipher = "AES-128-GCM"},
           CONFIG_COMPRESSION_NONE, 800);
    for (int round = 0; round < 3; round++) {
        uint8_t count = 0;
        burst_reset(&t.p.out);
        burst_reset(&t.p.in);
        struct datagram *d;
        while ((d = burst_reserve(&t.p.out, &t.layout, sizeof packet))) {
            packet[1] = count++;
            memcpy(d->data + d->inner_offset, packet, sizeof packet);
        }
        assert_int_equal(t.p.out.count, BURST_DATAGRAMS_MAX);
        seal(&t);
        for (size_t i = 0; i < t.p.out.count; i++)
            assert_true(burst_add_view(&t.p.in, t.p.out.datagrams[i].data,
                                       t.p.out.datagrams[i].size));
        open_all(&t);
        for (size_t i = 0; i < t.p.in.count; i++) {
            d = &t.p.in.datagrams[i];
            assert_int_equal(d->inner_size, i % 2 ? sizeof packet : 0);
            packet[1] = (uint8_t)(i / 2);
            if (i % 2)
                assert_memory_equal(d->data + d->inner_offset, packet,
                                    sizeof packet);
        }
    }
    tear_down(&t);
}

/* Nothing of a packet that is dropped before may leave. */
static void pieces_of_what_is_dropped_are_dropped(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t, (struct channel_kind){.cipher = "AES-128-GCM"},
           CONFIG_COMPRESSION_STUB_V2, 300);
    struct datagram *d = burst_reserve(&t.p.out, &t.layout, 700);
    memset(d->data + d->inner_offset, 0x50, 700); /* STUB_V2's mark */
    seal(&t);
    assert_int_equal(t.p.out.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(t.p.out.datagrams[i].drop, DROP_IP_MALFORMED);
    tear_down(&t);
}

static void malformed_headers_are_dropped(void **state)
{
    (void)state;
    static const struct bytes wrong[] = {
        {(const uint8_t *)"\0\0\0", 3},
        {(const uint8_t *)"\0\0\0\0", 4},       /* nothing behind it */
        {(const uint8_t *)"\0\0\0\3\x45", 5},   /* FRAG_TEST */
        {(const uint8_t *)"\0\0\2\x54\x45", 5}, /* whole, with a sequence */
        {(const uint8_t *)"\0\0\0\2\x45", 5},   /* pieces of nothing */
        {(const uint8_t *)"\0\0\0\1\x45", 5},   /* no multiple of 4 */
    };
    struct fragmentation f = {.max = 1300};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct burst burst = {0};
        uint8_t *copy = exact_copy(wrong[i].data, wrong[i].size);
        assert_true(burst_add_view(&burst, copy, (uint16_t)wrong[i].size));
        burst.datagrams[0].inner_size = (uint16_t)wrong[i].size;
        fragmentation_join(&f, now, &burst, 0, 1);
        assert_int_equal(burst.datagrams[0].drop, DROP_DATA_FRAGMENT);
        assert_int_equal(burst.datagrams[0].inner_size, 0);
        free(copy);
    }
    fragmentation_clear(&f);
}

static void a_limit_that_has_no_room_lets_nothing_through(void **state)
{
    (void)state;
    struct trial t;
    set_up(&t,
           (struct channel_kind){.cipher = "AES-256-CBC", .digest = "SHA512"},
           CONFIG_COMPRESSION_NONE, 68);
    assert_null(burst_reserve(&t.p.out, &t.layout, 20));
    tear_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nothing_is_changed),
        cmocka_unit_test(pieces_are_openvpns),
        cmocka_unit_test(packets_go_round_in_every_channel),
        cmocka_unit_test(a_full_burst_of_pieces_is_joined),
        cmocka_unit_test(pieces_of_what_is_dropped_are_dropped),
        cmocka_unit_test(malformed_headers_are_dropped),
        cmocka_unit_test(a_limit_that_has_no_room_lets_nothing_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
