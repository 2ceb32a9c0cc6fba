#include "gateway/link/ndp.h"
#include "tests/unit.h"

enum {
    PACKET_SIZE = 72,
    /* Offsets in the IPv6 packet. */
    PAYLOAD_SIZE = 4,
    NEXT_HEADER = 6,
    HOP_LIMIT = 7,
    SOURCE = 8,
    TYPE = 40,
    CODE = 41,
    CHECKSUM = 42,
    TARGET = 48,
    OPTION_UNITS = 65,
};

/* From fd09::1 to ff02::1:ff00:fe: who has fd09::fe? Seen from Linux. */
static const uint8_t solicitation[PACKET_SIZE] = {
    0x60, 0, 0,    0,    0,    0x20, 58, 255, /* IPv6 */
    0xfd, 9, 0,    0,    0,    0,    0,  0,
    0,    0, 0,    0,    0,    0,    0,  1, /* source */
    0xff, 2, 0,    0,    0,    0,    0,  0,
    0,    0, 0,    1,    0xff, 0,    0,  0xfe, /* to */
    135,  0, 0x7b, 0x8d, 0,    0,    0,  0,    /* ICMPv6 */
    0xfd, 9, 0,    0,    0,    0,    0,  0,
    0,    0, 0,    0,    0,    0,    0,  0xfe, /* target */
    1,    1, 2,    0,    0,    0,    0,  1,    /* its MAC */
};

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static const struct address own = {
    ADDRESS_IPV6, {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

static const uint8_t advertisement[NDP_FRAME_SIZE] = {
    2,    0,    0,    0,    0,    1,    0xfe, 0xff, 0xff, 0xff, 0xff,
    0xff, 0x86, 0xdd, 0x60, 0,    0,    0,    0,    0x20, 58,   255, /* IPv6 */
    0xfd, 9,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0xfe, /* source */
    0xfd, 9,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    1,                   /* to */
    136,  0,    0x9d, 0x88, 0xe0, 0,    0,    0, /* R, S, O */
    0xfd, 9,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0xfe,                   /* target */
    2,    1,    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, /* its MAC */
};

/* Puts the right checksum into a packet of one 8-byte option. */
static void fill_checksum(uint8_t packet[PACKET_SIZE])
{
    uint32_t sum = 58 + PACKET_SIZE - 40;
    store_u16(packet + CHECKSUM, 0);
    for (size_t i = SOURCE; i < PACKET_SIZE; i += 2)
        sum += load_u16(packet + i);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store_u16(packet + CHECKSUM, (uint16_t)~sum);
}

static bool parse(const uint8_t *packet, struct ndp_solicitation *out)
{
    return ndp_parse(bytes_of(packet, PACKET_SIZE), out);
}

/* The solicitation with other bytes at `at` and a right checksum. */
static bool parse_with(size_t at, const void *bytes, size_t size,
                       struct ndp_solicitation *out)
{
    uint8_t packet[PACKET_SIZE];
    memcpy(packet, solicitation, sizeof packet);
    memcpy(packet + at, bytes, size);
    fill_checksum(packet);
    return parse(packet, out);
}

static bool parse_with_byte(size_t at, uint8_t byte)
{
    struct ndp_solicitation out;
    return parse_with(at, &byte, 1, &out);
}

static void a_solicitation_is_answered_with_the_gateways_mac(void **state)
{
    (void)state;
    struct ndp_solicitation out;
    uint8_t frame[NDP_FRAME_SIZE];
    assert_true(parse(solicitation, &out));
    assert_true(address_equal(&out.source, &own));
    assert_memory_equal(out.target.bytes, solicitation + TARGET, 16);
    assert_true(ndp_answer(&out, mac, &own, frame));
    assert_memory_equal(frame, advertisement, sizeof frame);
}

static void every_truncated_solicitation_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < PACKET_SIZE; size++) {
        uint8_t *copy = exact_copy(solicitation, size);
        struct ndp_solicitation out = {.source = {.family = ADDRESS_NONE}};
        ndp_is(bytes_of(copy, size));
        assert_false(ndp_parse(bytes_of(copy, size), &out));
        assert_int_equal(out.source.family, ADDRESS_NONE);
        free(copy);
    }
}

static void every_changed_bit_is_noticed(void **state)
{
    (void)state;
    /* Traffic class and flow label are in no checksum. */
    for (size_t bit = PAYLOAD_SIZE * 8; bit < PACKET_SIZE * 8; bit++) {
        uint8_t packet[PACKET_SIZE];
        struct ndp_solicitation out;
        memcpy(packet, solicitation, sizeof packet);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(parse(packet, &out));
    }
}

static void what_crossed_a_router_is_refused(void **state)
{
    (void)state;
    assert_true(parse_with_byte(HOP_LIMIT, 255));
    assert_false(parse_with_byte(HOP_LIMIT, 254));
}

static void other_messages_are_refused(void **state)
{
    (void)state;
    assert_true(parse_with_byte(TYPE, NDP_NEIGHBOUR_SOLICITATION));
    assert_false(parse_with_byte(TYPE, NDP_NEIGHBOUR_ADVERTISEMENT));
    assert_false(parse_with_byte(CODE, 1));
    assert_false(parse_with_byte(NEXT_HEADER, 17));
    assert_false(parse_with_byte(0, 0x40));
}

static void options_must_fill_the_message(void **state)
{
    (void)state;
    assert_false(parse_with_byte(OPTION_UNITS, 0));
    assert_false(parse_with_byte(OPTION_UNITS, 2));
    assert_false(parse_with_byte(OPTION_UNITS, 255));
}

static void groups_have_no_neighbours(void **state)
{
    (void)state;
    assert_false(parse_with_byte(TARGET, 0xff));
    assert_false(parse_with_byte(SOURCE, 0xff));
}

static void link_local_targets_are_answered(void **state)
{
    (void)state;
    static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 1};
    struct ndp_solicitation out;
    uint8_t frame[NDP_FRAME_SIZE];
    assert_true(parse_with(TARGET, link_local, 16, &out));
    assert_true(ndp_answer(&out, mac, &own, frame));
}

static void the_qubes_own_addresses_stay_free(void **state)
{
    (void)state;
    static const uint8_t unspecified[16];
    struct ndp_solicitation out;
    uint8_t frame[NDP_FRAME_SIZE];
    assert_true(parse_with(TARGET, own.bytes, 16, &out));
    assert_false(ndp_answer(&out, mac, &own, frame));
    /* Duplicate address detection, whatever it is for. */
    assert_true(parse_with(SOURCE, unspecified, 16, &out));
    assert_false(ndp_answer(&out, mac, &own, frame));
    assert_true(parse_with(TARGET, unspecified, 16, &out));
    assert_false(ndp_answer(&out, mac, &own, frame));
}

static void a_group_mac_is_not_answered(void **state)
{
    (void)state;
    static const uint8_t group[6] = {0x33, 0x33};
    struct ndp_solicitation out;
    uint8_t frame[NDP_FRAME_SIZE];
    assert_true(parse(solicitation, &out));
    assert_false(ndp_answer(&out, group, &own, frame));
}

static void the_five_messages_are_recognised(void **state)
{
    (void)state;
    uint8_t packet[PACKET_SIZE];
    memcpy(packet, solicitation, sizeof packet);
    for (unsigned type = 0; type < 256; type++) {
        packet[TYPE] = (uint8_t)type;
        assert_int_equal(ndp_is(bytes_of(packet, sizeof packet)),
                         type >= 133 && type <= 137);
    }
    packet[TYPE] = 135;
    packet[NEXT_HEADER] = 6;
    assert_false(ndp_is(bytes_of(packet, sizeof packet)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_solicitation_is_answered_with_the_gateways_mac),
        cmocka_unit_test(every_truncated_solicitation_is_refused),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(what_crossed_a_router_is_refused),
        cmocka_unit_test(other_messages_are_refused),
        cmocka_unit_test(options_must_fill_the_message),
        cmocka_unit_test(groups_have_no_neighbours),
        cmocka_unit_test(link_local_targets_are_answered),
        cmocka_unit_test(the_qubes_own_addresses_stay_free),
        cmocka_unit_test(a_group_mac_is_not_answered),
        cmocka_unit_test(the_five_messages_are_recognised),
    };
    return cmocka_run_group_tests_name("ndp", tests, NULL, NULL);
}
