#include "gateway/openvpn/data/compression.h"

#include <lz4.h>
#include <lzo/lzo1x.h>

#include "tests/openvpn/data/channel_pair.h"
#include "tests/unit.h"

static const enum config_compression kinds[] = {
    CONFIG_COMPRESSION_NONE,
    CONFIG_COMPRESSION_LZO,
    CONFIG_COMPRESSION_STUB,
    CONFIG_COMPRESSION_STUB_V2,
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Frames one packet in a layout without a cipher. */
static struct bytes framed(enum config_compression kind, struct burst *burst,
                           struct bytes inner)
{
    struct compression c = {.kind = kind};
    struct burst_layout layout =
        compression_layout(&c, (struct burst_layout){0});
    burst_reset(burst);
    struct datagram *d = burst_reserve(burst, &layout, (uint32_t)inner.size);
    memcpy(d->data + d->inner_offset, inner.data, inner.size);
    compression_frame(&c, burst);
    /* the frame fills exactly what was reserved for it */
    assert_int_equal(d->drop, DROP_NONE);
    assert_int_equal(d->inner_offset, 0);
    assert_int_equal(d->inner_size, d->size);
    return bytes_of(d->data, d->size);
}

static void frames_are_openvpns(void **state)
{
    (void)state;
    static const uint8_t packet[] = {0x45, 1, 2, 3};
    static const uint8_t lzo[] = {0xfa, 0x45, 1, 2, 3};
    static const uint8_t stub[] = {0xfb, 1, 2, 3, 0x45};
    const struct bytes expected[KINDS] = {
        bytes_of(packet, sizeof packet),
        bytes_of(lzo, sizeof lzo),
        bytes_of(stub, sizeof stub),
        bytes_of(packet, sizeof packet),
    };
    struct burst burst;
    assert_true(burst_init(&burst, 100));
    for (size_t i = 0; i < KINDS; i++)
        assert_bytes_equal(
            framed(kinds[i], &burst, bytes_of(packet, sizeof packet)),
            expected[i]);
    burst_clear(&burst);
}

/* Unframes an exact copy; what is left of it is compared by the caller. */
static enum drop unframed(enum config_compression kind, struct bytes wire,
                          uint8_t *out, size_t *size)
{
    struct compression c = {.kind = kind};
    struct burst burst = {0};
    uint8_t *copy = exact_copy(wire.data, wire.size);
    assert_true(burst_add_view(&burst, copy, (uint16_t)wire.size));
    struct datagram *d = &burst.datagrams[0];
    d->inner_size = (uint16_t)wire.size;
    compression_unframe(&c, &burst, 0, 1);
    assert_true(d->inner_offset + d->inner_size <= d->size);
    assert_true(c.decompression || d->data == copy);
    if (d->inner_size > 0)
        memcpy(out, d->data + d->inner_offset, d->inner_size);
    *size = d->inner_size;
    compression_clear(&c);
    free(copy);
    return d->drop;
}

static void every_size_goes_round(void **state)
{
    (void)state;
    uint8_t packet[1500], out[1600];
    uint32_t random = 3;
    struct burst burst;
    assert_true(burst_init(&burst, 2000));
    random_bytes(&random, packet, sizeof packet);
    packet[0] = 0x45;
    for (size_t i = 0; i < KINDS; i++)
        for (size_t size = 1; size <= sizeof packet; size++) {
            struct bytes inner = bytes_of(packet, size);
            size_t left;
            assert_int_equal(
                unframed(kinds[i], framed(kinds[i], &burst, inner), out, &left),
                DROP_NONE);
            assert_bytes_equal(bytes_of(out, left), inner);
        }
    burst_clear(&burst);
}

static void check_drop(enum config_compression kind, const char *wire,
                       size_t size, enum drop expected)
{
    uint8_t out[16];
    size_t left;
    assert_int_equal(unframed(kind, bytes_of(wire, size), out, &left),
                     expected);
    if (expected != DROP_NONE)
        assert_int_equal(left, 0);
}

static void compressed_packets_are_dropped(void **state)
{
    (void)state;
    enum drop compressed = DROP_DATA_COMPRESSED;
    check_drop(CONFIG_COMPRESSION_LZO, "\x69\x01\x02", 3, compressed);
    check_drop(CONFIG_COMPRESSION_STUB, "\x66\x01\x02", 3, compressed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x02\x02", 3, compressed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x03\x02", 3, compressed);
}

static void malformed_frames_are_dropped(void **state)
{
    (void)state;
    enum drop malformed = DROP_DATA_MALFORMED;
    check_drop(CONFIG_COMPRESSION_LZO, "\xfa", 1, malformed);
    check_drop(CONFIG_COMPRESSION_LZO, "\x66", 1, malformed);
    check_drop(CONFIG_COMPRESSION_LZO, "\x66\x01\x02", 3, malformed);
    /* the end of an LZO1X stream and nothing before it */
    check_drop(CONFIG_COMPRESSION_LZO, "\x66\x11\x00\x00", 4, malformed);
    check_drop(CONFIG_COMPRESSION_LZO, "\x45\x00\x00", 3, malformed);
    check_drop(CONFIG_COMPRESSION_LZO, "\xfb\x00\x00", 3, malformed);
    check_drop(CONFIG_COMPRESSION_STUB, "\xfb", 1, malformed);
    check_drop(CONFIG_COMPRESSION_STUB, "\x69", 1, malformed);
    check_drop(CONFIG_COMPRESSION_STUB, "\x69\x02\x01", 3, malformed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x01", 2, malformed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x01\x02", 3, malformed);
    /* an LZ4 block of nothing */
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x01\x00", 3, malformed);
    check_drop(CONFIG_COMPRESSION_STUB, "\x45\x00\x00", 3, malformed);
    check_drop(CONFIG_COMPRESSION_STUB, "\xfa\x00\x00", 3, malformed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50", 1, malformed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x00", 2, malformed);
    check_drop(CONFIG_COMPRESSION_STUB_V2, "\x50\x04\x00", 3, malformed);
    check_drop(CONFIG_COMPRESSION_NONE, "\xfa", 1, DROP_NONE);
}

/* The two framings of LZ4, and that of LZO. */
static const enum config_compression compressing[] = {
    CONFIG_COMPRESSION_LZO,
    CONFIG_COMPRESSION_STUB,
    CONFIG_COMPRESSION_STUB_V2,
};

enum { PACKED_MOST = 8192, COMPRESSING = 3 };

static size_t packed_by_lzo(struct bytes packet, uint8_t *wire)
{
    static uint8_t memory[LZO1X_1_MEM_COMPRESS];
    lzo_uint size = 0;
    wire[0] = 0x66;
    assert_int_equal(
        lzo1x_1_compress(packet.data, packet.size, wire + 1, &size, memory),
        LZO_E_OK);
    return 1 + size;
}

/* Behind `head` bytes. */
static size_t packed_by_lz4(struct bytes packet, uint8_t *wire, size_t head)
{
    int size =
        LZ4_compress_default((const char *)packet.data, (char *)wire + head,
                             (int)packet.size, PACKED_MOST - 2);
    assert_true(size > 0);
    return head + (size_t)size;
}

/* As a server that compresses sends it, by the libraries' compressors. */
static size_t packed(enum config_compression kind, struct bytes packet,
                     uint8_t *wire)
{
    size_t size;
    if (kind == CONFIG_COMPRESSION_LZO)
        return packed_by_lzo(packet, wire);
    if (kind == CONFIG_COMPRESSION_STUB_V2) {
        wire[0] = 0x50;
        wire[1] = 0x01;
        return packed_by_lz4(packet, wire, 2);
    }
    size = packed_by_lz4(packet, wire, 0);
    wire[size] = wire[0];
    wire[0] = 0x69;
    return size + 1;
}

/* An IPv4 packet of so many bytes, half of which repeat. */
static struct bytes compressible(uint8_t *packet, size_t size)
{
    uint32_t random = 5;
    memset(packet, 0x45, size);
    random_bytes(&random, packet + 1, size / 2);
    return bytes_of(packet, size);
}

static void what_was_packed_is_unpacked(void **state)
{
    (void)state;
    uint8_t packet[DECOMPRESSION_PACKET_MAX], wire[PACKED_MOST];
    uint8_t out[DECOMPRESSION_PACKET_MAX];
    for (size_t k = 0; k < COMPRESSING; k++)
        for (size_t size = 20; size <= sizeof packet; size++) {
            struct bytes inner = compressible(packet, size);
            struct bytes sent =
                bytes_of(wire, packed(compressing[k], inner, wire));
            size_t left;
            assert_int_equal(unframed(compressing[k], sent, out, &left),
                             DROP_NONE);
            assert_bytes_equal(bytes_of(out, left), inner);
        }
}

static void lzo_cut_short_or_followed_by_more_is_dropped(void **state)
{
    (void)state;
    uint8_t packet[600], wire[PACKED_MOST], out[DECOMPRESSION_PACKET_MAX];
    struct bytes inner = compressible(packet, sizeof packet);
    size_t left, size = packed(CONFIG_COMPRESSION_LZO, inner, wire);
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(
            unframed(CONFIG_COMPRESSION_LZO, bytes_of(wire, cut), out, &left),
            DROP_DATA_MALFORMED);
    wire[size] = 0;
    assert_int_equal(
        unframed(CONFIG_COMPRESSION_LZO, bytes_of(wire, size + 1), out, &left),
        DROP_DATA_MALFORMED);
}

/* LZ4 has no end of its own: a shorter one may be a shorter packet, but it
 * reads nothing beyond its end and is never the same. */
static void lz4_cut_short_is_never_the_packet(void **state)
{
    (void)state;
    uint8_t packet[600], wire[PACKED_MOST], out[DECOMPRESSION_PACKET_MAX];
    struct bytes inner = compressible(packet, sizeof packet);
    for (size_t k = 1; k < COMPRESSING; k++) {
        size_t left, size = packed(compressing[k], inner, wire);
        for (size_t cut = 1; cut < size; cut++)
            if (unframed(compressing[k], bytes_of(wire, cut), out, &left) ==
                DROP_NONE)
                assert_in_range(left, 1, sizeof packet - 1);
    }
}

static void what_grows_beyond_its_place_is_dropped(void **state)
{
    (void)state;
    static uint8_t packet[60000];
    static const size_t sizes[] = {DECOMPRESSION_PACKET_MAX + 1, 4000, 60000};
    uint8_t wire[PACKED_MOST], out[DECOMPRESSION_PACKET_MAX];
    for (size_t k = 0; k < COMPRESSING; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t left,
                size = packed(compressing[k], bytes_of(packet, sizes[i]), wire);
            assert_in_range(size, 2, 300);
            assert_int_equal(
                unframed(compressing[k], bytes_of(wire, size), out, &left),
                DROP_DATA_MALFORMED);
        }
}

static void where_compression_is_refused_nothing_is_unpacked(void **state)
{
    (void)state;
    uint8_t packet[600], wire[PACKED_MOST];
    struct bytes inner = compressible(packet, sizeof packet);
    for (size_t k = 0; k < COMPRESSING; k++) {
        struct compression c = {.kind = compressing[k], .refused = true};
        struct burst burst = {0};
        size_t size = packed(compressing[k], inner, wire);
        assert_true(burst_add_view(&burst, wire, (uint16_t)size));
        burst.datagrams[0].inner_size = (uint16_t)size;
        compression_unframe(&c, &burst, 0, 1);
        assert_int_equal(burst.datagrams[0].drop, DROP_DATA_COMPRESSED);
        assert_null(c.decompression);
    }
}

/* Each has a place of its own until the next burst. */
static void a_full_burst_is_unpacked(void **state)
{
    (void)state;
    static uint8_t wires[BURST_DATAGRAMS_MAX][200];
    struct compression c = {.kind = CONFIG_COMPRESSION_LZO};
    static struct burst burst;
    for (int turn = 0; turn < 2; turn++) {
        burst = (struct burst){0};
        for (unsigned i = 0; i < BURST_DATAGRAMS_MAX; i++) {
            uint8_t packet[100] = {0x45, (uint8_t)i, (uint8_t)(i >> 8)};
            size_t size =
                packed(c.kind, bytes_of(packet, sizeof packet), wires[i]);
            assert_true(burst_add_view(&burst, wires[i], (uint16_t)size));
            burst.datagrams[i].inner_size = (uint16_t)size;
        }
        compression_unframe(&c, &burst, 0, 100);
        compression_unframe(&c, &burst, 100, BURST_DATAGRAMS_MAX - 100);
        for (unsigned i = 0; i < BURST_DATAGRAMS_MAX; i++) {
            const struct datagram *d = &burst.datagrams[i];
            uint8_t packet[100] = {0x45, (uint8_t)i, (uint8_t)(i >> 8)};
            assert_int_equal(d->drop, DROP_NONE);
            assert_bytes_equal(
                bytes_of(d->data + d->inner_offset, d->inner_size),
                bytes_of(packet, sizeof packet));
        }
    }
    compression_clear(&c);
}

static void stub_v2_takes_its_escape_off(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t left;
    assert_int_equal(unframed(CONFIG_COMPRESSION_STUB_V2,
                              bytes_of("\x50\x00\x50\x07", 4), out, &left),
                     DROP_NONE);
    assert_bytes_equal(bytes_of(out, left), bytes_of("\x50\x07", 2));
    assert_int_equal(unframed(CONFIG_COMPRESSION_STUB_V2,
                              bytes_of("\x45\x07", 2), out, &left),
                     DROP_NONE);
    assert_bytes_equal(bytes_of(out, left), bytes_of("\x45\x07", 2));
}

static void stub_v2_sends_nothing_that_looks_like_its_escape(void **state)
{
    (void)state;
    struct compression c = {.kind = CONFIG_COMPRESSION_STUB_V2};
    struct burst_layout none = {0};
    struct burst burst;
    assert_true(burst_init(&burst, 100));
    struct datagram *d = burst_reserve(&burst, &none, 2);
    memcpy(d->data, "\x50\x01", 2);
    compression_frame(&c, &burst);
    assert_int_equal(d->drop, DROP_IP_MALFORMED);
    burst_clear(&burst);
}

static void what_is_dropped_or_empty_is_left_alone(void **state)
{
    (void)state;
    uint8_t data[] = {0x66, 1, 2}, before[] = {0x66, 1, 2};
    for (size_t i = 0; i < KINDS; i++) {
        struct compression c = {.kind = kinds[i]};
        struct burst burst = {0};
        for (int k = 0; k < 3; k++)
            assert_true(burst_add_view(&burst, data, sizeof data));
        burst.datagrams[0].drop = DROP_DATA_AUTH;
        burst.datagrams[0].inner_size = 3;
        burst.datagrams[2].inner_size = 3;
        compression_unframe(&c, &burst, 0, 2);
        assert_int_equal(burst.datagrams[0].drop, DROP_DATA_AUTH);
        assert_int_equal(burst.datagrams[1].drop, DROP_NONE);
        assert_int_equal(burst.datagrams[2].drop, DROP_NONE);
        burst.datagrams[2].drop = DROP_TOO_BIG;
        compression_frame(&c, &burst);
        assert_memory_equal(data, before, sizeof data);
    }
}

/* Framing and sealing fit into each other, also where there is padding. */
static void check_channel(struct compression c, struct channel_kind kind)
{
    static const char packet[] = "\x45 is how an IPv4 packet starts, and more";
    struct channel_pair p;
    channel_pair_init(&p, kind);
    struct burst_layout layout =
        compression_layout(&c, data_channel_layout(p.client));
    for (uint32_t size = 1; size <= sizeof packet; size++) {
        struct datagram *d = burst_reserve(&p.out, &layout, size);
        memcpy(d->data + d->inner_offset, packet, size);
    }
    compression_frame(&c, &p.out);
    data_channel_seal(p.client, &p.out);
    for (size_t k = 0; k < p.out.count; k++)
        assert_true(burst_add_view(&p.in, p.out.datagrams[k].data,
                                   p.out.datagrams[k].size));
    data_channel_open(p.server, (struct instant){0}, &p.in, 0, p.in.count);
    compression_unframe(&c, &p.in, 0, p.in.count);
    for (size_t k = 0; k < p.in.count; k++) {
        const struct datagram *d = &p.in.datagrams[k];
        assert_int_equal(d->drop, DROP_NONE);
        assert_bytes_equal(bytes_of(d->data + d->inner_offset, d->inner_size),
                           bytes_of(packet, k + 1));
    }
    channel_pair_clear(&p);
}

static void frames_go_through_every_data_channel(void **state)
{
    (void)state;
    static const struct channel_kind channels[] = {
        {.cipher = "AES-128-GCM"},
        {.cipher = "AES-128-GCM", .epoch = true},
        {.cipher = "AES-128-CBC", .digest = "SHA1"},
    };
    for (size_t i = 0; i < KINDS; i++)
        for (size_t k = 0; k < sizeof channels / sizeof *channels; k++)
            check_channel((struct compression){.kind = kinds[i]}, channels[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_openvpns),
        cmocka_unit_test(every_size_goes_round),
        cmocka_unit_test(compressed_packets_are_dropped),
        cmocka_unit_test(malformed_frames_are_dropped),
        cmocka_unit_test(what_was_packed_is_unpacked),
        cmocka_unit_test(lzo_cut_short_or_followed_by_more_is_dropped),
        cmocka_unit_test(lz4_cut_short_is_never_the_packet),
        cmocka_unit_test(what_grows_beyond_its_place_is_dropped),
        cmocka_unit_test(where_compression_is_refused_nothing_is_unpacked),
        cmocka_unit_test(a_full_burst_is_unpacked),
        cmocka_unit_test(stub_v2_takes_its_escape_off),
        cmocka_unit_test(stub_v2_sends_nothing_that_looks_like_its_escape),
        cmocka_unit_test(what_is_dropped_or_empty_is_left_alone),
        cmocka_unit_test(frames_go_through_every_data_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
