#include "gateway/packet/segment.h"

#include "gateway/packet/ip_packet.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"
#include "tests/unit.h"

static const struct burst_layout layout = {.head = 24, .tail = 16};
static const uint8_t timestamps[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

static struct burst *burst_of(uint32_t capacity)
{
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, capacity));
    return b;
}

static void free_burst(struct burst *b)
{
    burst_clear(b);
    free(b);
}

static const uint8_t *inner(const struct burst *b, size_t i)
{
    return b->datagrams[i].data + b->datagrams[i].inner_offset;
}

static struct craft sample(bool v6, uint8_t protocol, struct bytes payload)
{
    return (struct craft){
        .source = craft_address(v6 ? "fd09::1" : "10.8.0.2"),
        .destination = craft_address(v6 ? "2001:db8::9" : "198.51.100.7"),
        .protocol = protocol,
        .source_port = 40000,
        .destination_port = 443,
        .id = 0xfffe,
        .tos = 2,
        .dont_fragment = true,
        .sequence = 0xfffffff0,
        .acknowledgement = 77,
        .flags = TCP_ACK,
        .window = 500,
        .tcp_options = bytes_of(timestamps, sizeof timestamps),
        .payload = payload,
    };
}

/* A sender without offload would have sent this as segment `offset`. */
static size_t expected_segment(const struct craft *whole, size_t offset,
                               uint16_t mss, uint8_t *out)
{
    struct craft c = *whole;
    size_t left = whole->payload.size - offset;
    c.payload = bytes_of(whole->payload.data + offset, left < mss ? left : mss);
    c.sequence += (uint32_t)offset;
    c.id = (uint16_t)(c.id + offset / mss);
    if (offset > 0)
        c.flags &= (uint8_t)~TCP_CWR;
    if (left > mss)
        c.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    return craft_write(&c, out);
}

static void check_cut(const struct craft *c, uint16_t mss, uint32_t capacity)
{
    static uint8_t expected[CRAFT_SIZE_MAX];
    struct packet p = craft_super_packet(c, mss);
    struct burst *b = burst_of(capacity);
    struct segment_cursor cursor = {0};
    enum segment_result result;
    size_t offset = 0;
    do {
        burst_reset(b);
        result = parsed_segment(&p, 1500, &layout, &cursor, b);
        assert_int_not_equal(result, SEGMENT_REFUSED);
        assert_true(b->count > 0);
        for (size_t i = 0; i < b->count; i++) {
            size_t size = expected_segment(c, offset, mss, expected);
            assert_int_equal(b->datagrams[i].inner_size, size);
            assert_memory_equal(inner(b, i), expected, size);
            assert_true(craft_checksums_right(inner(b, i), size));
            offset += mss;
        }
    } while (result == SEGMENT_FULL);
    assert_true(offset >= c->payload.size);
    free_burst(b);
    free(p.data);
}

static void a_super_packet_becomes_what_would_have_been_sent(void **state)
{
    (void)state;
    uint64_t seed = 5;
    uint8_t *data = malloc(65000);
    craft_fill(&seed, data, 65000);
    for (int i = 0; i < 200; i++) {
        uint8_t protocol = i % 4 == 0 ? 17 : 6;
        uint32_t size = 1 + craft_below(&seed, i % 10 ? 9000 : 65000);
        struct craft c = sample(i % 2, protocol, bytes_of(data, size));
        c.flags = (uint8_t)(TCP_ACK | (craft_random(&seed) &
                                       (TCP_PSH | TCP_FIN | TCP_CWR)));
        uint16_t mss = (uint16_t)(IP_GSO_SIZE_MIN + craft_below(&seed, 1300));
        check_cut(&c, mss, 4 << 20);
        check_cut(&c, mss, 5000);
    }
    free(data);
}

static void a_packet_that_fits_gets_its_checksum_filled_in(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (size_t size = 0; size < 200; size++) {
        uint8_t data[200];
        craft_fill(&seed, data, sizeof data);
        struct craft c =
            sample(size % 2, size % 3 ? 6 : 17, bytes_of(data, size));
        struct packet p = craft_super_packet(&c, 0);
        struct packet plain = craft_packet(&c);
        struct burst *b = burst_of(4096);
        struct segment_cursor cursor = {0};
        assert_int_equal(parsed_segment(&p, 1500, &layout, &cursor, b),
                         SEGMENT_DONE);
        cursor = (struct segment_cursor){0};
        assert_int_equal(parsed_segment(&plain, 1500, &layout, &cursor, b),
                         SEGMENT_DONE);
        assert_int_equal(b->count, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(b->datagrams[i].inner_size, plain.size);
            assert_memory_equal(inner(b, i), plain.data, plain.size);
        }
        free_burst(b);
        free(p.data);
        free(plain.data);
    }
}

/* RFC 768: a sum that comes out as zero is sent as ones. */
static void a_udp_checksum_of_zero_is_sent_as_ones(void **state)
{
    (void)state;
    for (int super = 0; super < 2; super++) {
        uint8_t data[300] = {0};
        struct craft c = sample(false, 17, bytes_of(data, super ? 100 : 300));
        struct packet first = craft_packet(&c);
        /* The payload has to add what the checksum is now. */
        memcpy(data, first.data + 26, 2);
        c.payload = bytes_of(data, 300);
        struct packet p = craft_super_packet(&c, super ? 100 : 0);
        struct burst *b = burst_of(4096);
        struct segment_cursor cursor = {0};
        assert_int_equal(parsed_segment(&p, 1500, &layout, &cursor, b),
                         SEGMENT_DONE);
        assert_int_equal(load_u16(inner(b, 0) + 26), 0xffff);
        free_burst(b);
        free(first.data);
        free(p.data);
    }
}

/* The reverse of what is tested, by hand. */
static void assemble(const struct burst *b, size_t header, uint8_t *out,
                     size_t expected)
{
    size_t end = 0;
    for (size_t i = 0; i < b->count; i++) {
        const uint8_t *h = inner(b, i);
        size_t size = b->datagrams[i].inner_size - header;
        uint16_t field = load_u16(h + 6);
        size_t offset = (size_t)(field & 0x1fff) * 8;
        assert_int_equal(load_u16(h + 2), b->datagrams[i].inner_size);
        assert_true(b->datagrams[i].inner_size <= 600);
        assert_int_equal(offset, end);
        assert_int_equal(!(field & 0x2000), i + 1 == b->count);
        assert_false(field & 0x4000);
        memcpy(out + header + offset, h + header, size);
        end = offset + size;
    }
    memcpy(out, inner(b, 0), header);
    store_u16(out + 2, (uint16_t)(header + end));
    store_u16(out + 6, 0);
    ip_write_checksum(&(struct ip_packet){
        .data = out, .family = ADDRESS_IPV4, .transport = 20});
    assert_int_equal(header + end, expected);
}

static void ipv4_without_df_is_fragmented(void **state)
{
    (void)state;
    uint64_t seed = 21;
    static uint8_t data[9000], whole[9100];
    craft_fill(&seed, data, sizeof data);
    for (int i = 0; i < 100; i++) {
        struct craft c =
            sample(false, i % 3 ? 17 : 6,
                   bytes_of(data, 600 + craft_below(&seed, sizeof data - 600)));
        c.dont_fragment = false;
        struct packet plain = craft_packet(&c);
        struct packet p = i % 2 ? craft_packet(&c) : craft_super_packet(&c, 0);
        struct burst *b = burst_of(1 << 20);
        struct segment_cursor cursor = {0};
        assert_int_equal(parsed_segment(&p, 600, &layout, &cursor, b),
                         SEGMENT_DONE);
        assemble(b, 20, whole, plain.size);
        assert_memory_equal(whole, plain.data, plain.size);
        free_burst(b);
        free(p.data);
        free(plain.data);
    }
}

static void fragments_go_on_in_the_next_burst(void **state)
{
    (void)state;
    uint64_t seed = 22;
    uint8_t data[4000];
    craft_fill(&seed, data, sizeof data);
    struct craft c = sample(false, 17, bytes_of(data, sizeof data));
    c.dont_fragment = false;
    struct packet p = craft_super_packet(&c, 0);
    struct burst *one = burst_of(1 << 16), *small = burst_of(1300);
    struct segment_cursor cursor = {0};
    assert_int_equal(parsed_segment(&p, 600, &layout, &cursor, one),
                     SEGMENT_DONE);
    cursor = (struct segment_cursor){0};
    size_t seen = 0;
    enum segment_result result;
    do {
        burst_reset(small);
        result = parsed_segment(&p, 600, &layout, &cursor, small);
        for (size_t i = 0; i < small->count; i++, seen++)
            assert_memory_equal(inner(small, i), inner(one, seen),
                                one->datagrams[seen].inner_size);
    } while (result == SEGMENT_FULL);
    assert_int_equal(seen, one->count);
    free_burst(one);
    free_burst(small);
    free(p.data);
}

static void a_fragment_of_a_fragment_keeps_its_place(void **state)
{
    (void)state;
    static const uint8_t data[1200];
    struct craft c = sample(false, 17, bytes_of(data, sizeof data));
    c.dont_fragment = false;
    struct packet p = craft_packet(&c);
    store_u16(p.data + 6, IPV4_MORE_FRAGMENTS | 1480 / 8);
    ip_write_checksum(&(struct ip_packet){
        .data = p.data, .family = ADDRESS_IPV4, .transport = 20});
    struct burst *b = burst_of(1 << 16);
    struct segment_cursor cursor = {0};
    assert_int_equal(parsed_segment(&p, 620, &layout, &cursor, b),
                     SEGMENT_DONE);
    assert_int_equal(b->count, 3);
    assert_int_equal(load_u16(inner(b, 0) + 6), 0x2000 | 1480 / 8);
    assert_int_equal(load_u16(inner(b, 1) + 6), 0x2000 | 2080 / 8);
    assert_int_equal(load_u16(inner(b, 2) + 6), 0x2000 | 2680 / 8);
    free_burst(b);
    free(p.data);
}

/* The fragments of each segment, one after another, as if it had been sent on
 * its own. */
static void expect_fragments(const struct craft *c, uint16_t gso_size,
                             const struct burst *given, size_t *next,
                             size_t *offset, struct burst *expected)
{
    static uint8_t bytes[CRAFT_SIZE_MAX];
    for (size_t i = 0; i < given->count; i++) {
        if (*next == expected->count) {
            struct packet p = {.data = bytes};
            struct segment_cursor cursor = {0};
            p.size = (uint32_t)expected_segment(c, *offset, gso_size, bytes);
            *offset += gso_size;
            *next = 0;
            burst_reset(expected);
            assert_int_equal(
                parsed_segment(&p, 600, &layout, &cursor, expected),
                SEGMENT_DONE);
        }
        assert_int_equal(given->datagrams[i].inner_size,
                         expected->datagrams[*next].inner_size);
        assert_memory_equal(inner(given, i), inner(expected, *next),
                            given->datagrams[i].inner_size);
        (*next)++;
    }
}

/* IPv4 without DF: what a router does to each of them. */
static void udp_segments_that_are_too_large_are_fragmented(void **state)
{
    (void)state;
    uint64_t seed = 23;
    static uint8_t data[20000];
    craft_fill(&seed, data, sizeof data);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t size = 1500 + craft_below(&seed, sizeof data - 1500);
        uint16_t gso_size = (uint16_t)(573 + craft_below(&seed, 927));
        struct craft c = sample(false, 17, bytes_of(data, size));
        c.dont_fragment = false;
        struct packet p = craft_super_packet(&c, gso_size);
        struct bytes rest = bytes_of(p.data + 28 + i, size - i);
        p.size = 28 + i;
        p.pieces = &rest;
        p.piece_count = 1;
        p.piece_bytes = (uint32_t)rest.size;
        struct burst *b = burst_of(i % 2 ? 1 << 20 : 1300);
        struct burst *expected = burst_of(1 << 16);
        struct segment_cursor cursor = {0};
        enum segment_result result;
        size_t next = 0, offset = 0;
        do {
            burst_reset(b);
            result = parsed_segment(&p, 600, &layout, &cursor, b);
            assert_int_not_equal(result, SEGMENT_REFUSED);
            expect_fragments(&c, gso_size, b, &next, &offset, expected);
        } while (result == SEGMENT_FULL);
        assert_true(offset >= size && next == expected->count);
        free_burst(b);
        free_burst(expected);
        free(p.data);
    }
}

static enum segment_result try(const struct craft *c, uint16_t gso_size,
                               uint16_t mtu, uint32_t capacity)
{
    struct packet p =
        gso_size ? craft_super_packet(c, gso_size) : craft_packet(c);
    struct burst *b = burst_of(capacity);
    struct segment_cursor cursor = {0};
    enum segment_result result = parsed_segment(&p, mtu, &layout, &cursor, b);
    if (result == SEGMENT_DONE)
        for (size_t i = 0; i < b->count; i++)
            assert_true(b->datagrams[i].inner_size <= mtu);
    free_burst(b);
    free(p.data);
    return result;
}

static void what_cannot_be_cut_is_refused(void **state)
{
    (void)state;
    static const uint8_t data[3000];
    struct craft c = sample(false, 6, bytes_of(data, sizeof data));
    assert_int_equal(try(&c, 0, 1500, 1 << 16), SEGMENT_REFUSED);
    assert_int_equal(try(&c, 1460, 1400, 1 << 16), SEGMENT_REFUSED);
    assert_int_equal(try(&c, 1400, 1500, 100), SEGMENT_REFUSED);
    c.dont_fragment = false;
    assert_int_equal(try(&c, 0, 27, 1 << 16), SEGMENT_REFUSED);
    assert_int_equal(try(&c, 1460, 1400, 1 << 16), SEGMENT_DONE);
    c.protocol = 17;
    assert_int_equal(try(&c, 1460, 1400, 1 << 16), SEGMENT_DONE);
    assert_int_equal(try(&c, 1460, 35, 1 << 16), SEGMENT_REFUSED);
    c.dont_fragment = true;
    assert_int_equal(try(&c, 1460, 1400, 1 << 16), SEGMENT_REFUSED);
    c = sample(true, 17, bytes_of(data, sizeof data));
    assert_int_equal(try(&c, 0, 1500, 1 << 16), SEGMENT_REFUSED);
    /* Nor does it help that it came in fragments, without their header. */
    struct packet p = craft_packet(&c);
    struct burst b = {0};
    struct segment_cursor cursor = {0};
    p.fragment_size = 600;
    assert_true(burst_init(&b, 1 << 16));
    assert_int_equal(parsed_segment(&p, 1500, &layout, &cursor, &b),
                     SEGMENT_REFUSED);
    burst_clear(&b);
    free(p.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_super_packet_becomes_what_would_have_been_sent),
        cmocka_unit_test(a_packet_that_fits_gets_its_checksum_filled_in),
        cmocka_unit_test(a_udp_checksum_of_zero_is_sent_as_ones),
        cmocka_unit_test(ipv4_without_df_is_fragmented),
        cmocka_unit_test(fragments_go_on_in_the_next_burst),
        cmocka_unit_test(a_fragment_of_a_fragment_keeps_its_place),
        cmocka_unit_test(udp_segments_that_are_too_large_are_fragmented),
        cmocka_unit_test(what_cannot_be_cut_is_refused),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
