#include "gateway/openvpn/data/data_packet.h"

#include "tests/unit.h"

static bool parse(const uint8_t *data, size_t size, struct data_packet *out)
{
    uint8_t *copy = exact_copy(data, size);
    bool ok = data_packet_parse(bytes_of(copy, size), out);
    free(copy);
    return ok;
}

static void both_headers_are_read(void **state)
{
    (void)state;
    struct data_packet p;
    static const uint8_t v1[] = {0x35, 1, 2, 3};
    assert_true(parse(v1, sizeof v1, &p));
    assert_int_equal(p.opcode, OPCODE_DATA_V1);
    assert_int_equal(p.key_id, 5);
    assert_int_equal(p.header_size, 1);
    assert_int_equal(p.peer_id, PEER_ID_NONE);
    static const uint8_t v2[] = {0x4a, 1, 2, 3};
    assert_true(parse(v2, sizeof v2, &p));
    assert_int_equal(p.opcode, OPCODE_DATA_V2);
    assert_int_equal(p.key_id, 2);
    assert_int_equal(p.header_size, 4);
    assert_int_equal(p.peer_id, 0x010203);
}

static void every_truncated_header_is_refused(void **state)
{
    (void)state;
    struct data_packet p;
    static const uint8_t v1[] = {0x30}, v2[] = {0x48, 1, 2, 3};
    assert_false(parse(v1, 0, &p));
    assert_true(parse(v1, 1, &p));
    for (size_t size = 0; size < sizeof v2; size++)
        assert_false(parse(v2, size, &p));
}

static void what_is_not_data_is_refused(void **state)
{
    (void)state;
    struct data_packet p;
    for (int first = 0; first < 256; first++) {
        const uint8_t header[] = {(uint8_t)first, 0, 0, 0};
        bool data = first >> 3 == 6 || first >> 3 == 9;
        assert_int_equal(parse(header, sizeof header, &p), data);
        size_t size = first >> 3 == 6 ? 1 : first >> 3 == 9 ? 4 : 0;
        assert_int_equal(data_packet_header_size((uint8_t)first), size);
    }
}

static void every_header_written_is_read_again(void **state)
{
    (void)state;
    static const uint32_t peers[] = {0, 1, 0x123456, 0xfffffe, PEER_ID_NONE};
    for (uint8_t key_id = 0; key_id < 8; key_id++)
        for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
            uint8_t header[DATA_HEADER_SIZE_MAX];
            struct data_packet p;
            size_t size = data_packet_write(header, key_id, peers[i]);
            assert_int_equal(size, peers[i] == PEER_ID_NONE ? 1 : 4);
            assert_true(parse(header, size, &p));
            assert_int_equal(p.header_size, size);
            assert_int_equal(p.key_id, key_id);
            assert_int_equal(p.peer_id, peers[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_headers_are_read),
        cmocka_unit_test(every_truncated_header_is_refused),
        cmocka_unit_test(what_is_not_data_is_refused),
        cmocka_unit_test(every_header_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
