#include "gateway/link/ethernet.h"
#include "gateway/link/vnet_header.h"
#include "tests/unit.h"

enum {
    NEEDS_CHECKSUM = 1,
    TCP4 = 1,
    UFO = 3,
    TCP6 = 4,
    UDP = 5,
    ECN = 0x80,
    /* Fields of the header. */
    FLAGS = 0,
    GSO_TYPE = 1,
    GSO_SIZE = 4,
    START = 6,
    OFFSET = 8,
    PAYLOAD = 4000,
    ROOM = 64 + PAYLOAD,
};

struct sample {
    uint8_t header[VNET_HEADER_SIZE];
    uint8_t bytes[ROOM];
    struct packet packet;
};

/* TCP over IPv4: 40 bytes of headers; csum_start is 14 + 20. */
static void make_tcp4(struct sample *s)
{
    static const uint8_t header[] = {NEEDS_CHECKSUM, TCP4, 54, 0,  0x78,
                                     0x05,           34,   0,  16, 0};
    *s = (struct sample){.packet = {.data = s->bytes, .size = 40 + PAYLOAD}};
    memcpy(s->header, header, sizeof header);
    s->bytes[0] = 0x45;
    store_u16(s->bytes + 2, 40 + PAYLOAD);
    s->bytes[6] = 0x40; /* DF */
    s->bytes[9] = 6;
    s->bytes[20 + 12] = 5 << 4;
}

static void make_udp4(struct sample *s)
{
    make_tcp4(s);
    s->header[GSO_TYPE] = UDP;
    s->header[OFFSET] = 6;
    s->bytes[9] = 17;
}

/* TCP over IPv6 behind `extensions` destination options of 8 bytes. */
static void make_tcp6(struct sample *s, unsigned extensions)
{
    uint8_t start = (uint8_t)(40 + 8 * extensions);
    make_tcp4(s);
    s->header[GSO_TYPE] = TCP6;
    s->header[START] = (uint8_t)(14 + start);
    memset(s->bytes, 0, 64);
    s->bytes[0] = 0x60;
    store_u16(s->bytes + 4, PAYLOAD);
    s->bytes[6] = extensions ? 60 : 6;
    for (unsigned i = 1; i <= extensions; i++)
        s->bytes[32 + 8 * i] = i < extensions ? 60 : 6;
    s->bytes[start + 12] = 5 << 4;
}

static bool reads(struct sample *s)
{
    return vnet_header_read(s->header, ETHERNET_HEADER_SIZE, &s->packet);
}

static void a_tcp_super_packet_is_recognised(void **state)
{
    (void)state;
    struct sample s;
    make_tcp4(&s);
    assert_true(reads(&s));
    assert_int_equal(s.packet.gso, PACKET_GSO_TCP);
    assert_int_equal(s.packet.gso_size, 1400);
    assert_int_equal(s.packet.checksum, PACKET_CHECKSUM_PARTIAL);
    assert_int_equal(s.packet.size, 40 + PAYLOAD);

    make_tcp4(&s);
    s.header[GSO_TYPE] |= ECN;
    assert_true(reads(&s));
    assert_int_equal(s.packet.gso, PACKET_GSO_TCP);
}

static void a_udp_super_packet_is_recognised(void **state)
{
    (void)state;
    struct sample s;
    make_udp4(&s);
    assert_true(reads(&s));
    assert_int_equal(s.packet.gso, PACKET_GSO_UDP);
    make_udp4(&s);
    s.header[GSO_TYPE] |= ECN;
    assert_false(reads(&s));
}

static void extension_headers_are_stepped_over(void **state)
{
    (void)state;
    struct sample s;
    for (unsigned extensions = 0; extensions < 3; extensions++) {
        make_tcp6(&s, extensions);
        assert_true(reads(&s));
        assert_int_equal(s.packet.gso, PACKET_GSO_TCP);
    }
    make_tcp6(&s, 20);
    assert_false(reads(&s));
}

static void without_offload_nothing_is_claimed(void **state)
{
    (void)state;
    struct sample s;
    make_tcp4(&s);
    memset(s.header, 0, sizeof s.header);
    assert_true(reads(&s));
    assert_int_equal(s.packet.gso, PACKET_GSO_NONE);
    assert_int_equal(s.packet.checksum, PACKET_CHECKSUM_NONE);
    s.header[FLAGS] = 2; /* "valid", says the qube */
    assert_true(reads(&s));
    assert_int_equal(s.packet.checksum, PACKET_CHECKSUM_NONE);
}

static void one_segment_is_no_super_packet(void **state)
{
    (void)state;
    struct sample s;
    make_tcp4(&s);
    store_u16(s.bytes + 2, 40 + 1400);
    assert_true(reads(&s));
    assert_int_equal(s.packet.gso, PACKET_GSO_NONE);
    assert_int_equal(s.packet.gso_size, 0);
    assert_int_equal(s.packet.checksum, PACKET_CHECKSUM_PARTIAL);
    assert_int_equal(s.packet.size, 40 + 1400); /* the rest was padding */
}

static void header_and_packet_must_agree(void **state)
{
    (void)state;
    static const struct {
        uint8_t at;
        uint8_t value;
    } lies[] = {
        {FLAGS, 0},      {FLAGS, 2},      {GSO_TYPE, TCP6}, {GSO_TYPE, UDP},
        {GSO_TYPE, UFO}, {GSO_TYPE, ECN}, {GSO_TYPE, 2},    {START, 33},
        {START, 35},     {START, 0},      {START + 1, 1},   {OFFSET, 6},
        {OFFSET, 0},     {OFFSET + 1, 1},
    };
    struct sample s;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        make_tcp4(&s);
        s.header[lies[i].at] = lies[i].value;
        assert_false(reads(&s));
    }
    make_tcp4(&s);
    store_u16(s.header + GSO_SIZE, 0);
    assert_false(reads(&s));
}

static void packets_that_cannot_be_cut_are_malformed(void **state)
{
    (void)state;
    static const struct {
        uint8_t at;
        uint8_t value;
    } lies[] = {
        {0, 0x44}, {0, 0x46}, {0, 0x55},
        {0, 0x65}, {2, 0xff}, {6, 0x20}, /* more fragments */
        {7, 1},                          /* a later fragment */
        {9, 17},   {9, 1},    {32, 4 << 4},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct sample s;
        make_tcp4(&s);
        s.bytes[lies[i].at] = lies[i].value;
        assert_false(reads(&s));
    }
}

static void no_size_is_read_beyond(void **state)
{
    (void)state;
    struct sample s;
    for (uint32_t size = 0; size < 70; size++) {
        for (int version = 4; version <= 6; version += 2) {
            if (version == 4)
                make_tcp4(&s);
            else
                make_tcp6(&s, 2);
            uint32_t headers = version == 4 ? 40 : 76;
            /* The IP length says what is there, too. */
            if (version == 4)
                store_u16(s.bytes + 2, (uint16_t)size);
            else if (size >= 40)
                store_u16(s.bytes + 4, (uint16_t)(size - 40));
            uint8_t *copy = exact_copy(s.bytes, size);
            s.packet.data = copy;
            s.packet.size = size;
            assert_int_equal(reads(&s), size >= headers);
            uint8_t header[VNET_HEADER_SIZE];
            s.packet.checksum = PACKET_CHECKSUM_PARTIAL;
            assert_int_equal(
                vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header),
                size >= headers);
            free(copy);
        }
    }
}

static void what_was_read_is_written_again(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct sample s;
        uint8_t header[VNET_HEADER_SIZE];
        if (kind == 0)
            make_tcp4(&s);
        else if (kind == 1)
            make_udp4(&s);
        else
            make_tcp6(&s, (unsigned)kind - 2);
        assert_true(reads(&s));
        assert_true(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header));
        /* hdr_len is ours to say: up to the payload. */
        uint16_t size = (uint16_t)(s.header[START] + (kind == 1 ? 8 : 20));
        s.header[2] = (uint8_t)size;
        assert_memory_equal(header, s.header, sizeof header);
    }
}

static void congestion_is_told(void **state)
{
    (void)state;
    struct sample s;
    uint8_t header[VNET_HEADER_SIZE];
    make_tcp4(&s);
    assert_true(reads(&s));
    s.bytes[20 + 13] = 0x80; /* CWR */
    assert_true(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header));
    assert_int_equal(header[GSO_TYPE], TCP4 | ECN);
}

static void checksums_are_told(void **state)
{
    (void)state;
    struct sample s;
    uint8_t header[VNET_HEADER_SIZE];
    static const uint8_t none[VNET_HEADER_SIZE];
    static const uint8_t valid[VNET_HEADER_SIZE] = {2};
    make_tcp4(&s);
    assert_true(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header));
    assert_memory_equal(header, none, sizeof header);
    s.packet.checksum = PACKET_CHECKSUM_VALID;
    assert_true(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header));
    assert_memory_equal(header, valid, sizeof header);
}

static void contradictions_are_not_written(void **state)
{
    (void)state;
    struct sample s;
    uint8_t header[VNET_HEADER_SIZE];
    make_tcp4(&s);
    s.packet.gso = PACKET_GSO_TCP;
    s.packet.gso_size = 1400;
    assert_false(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE,
                                   header)); /* not PARTIAL */
    s.packet.checksum = PACKET_CHECKSUM_PARTIAL;
    s.packet.gso = PACKET_GSO_UDP;
    assert_false(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header));
    s.packet.gso = PACKET_GSO_TCP;
    assert_true(vnet_header_write(&s.packet, ETHERNET_HEADER_SIZE, header));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_super_packet_is_recognised),
        cmocka_unit_test(a_udp_super_packet_is_recognised),
        cmocka_unit_test(extension_headers_are_stepped_over),
        cmocka_unit_test(without_offload_nothing_is_claimed),
        cmocka_unit_test(one_segment_is_no_super_packet),
        cmocka_unit_test(header_and_packet_must_agree),
        cmocka_unit_test(packets_that_cannot_be_cut_are_malformed),
        cmocka_unit_test(no_size_is_read_beyond),
        cmocka_unit_test(what_was_read_is_written_again),
        cmocka_unit_test(congestion_is_told),
        cmocka_unit_test(checksums_are_told),
        cmocka_unit_test(contradictions_are_not_written),
    };
    return cmocka_run_group_tests_name("vnet_header", tests, NULL, NULL);
}
