#include "gateway/openvpn/control/control_packet.h"

#include "tests/unit.h"
#include "tests/vectors/openvpn_control.h"

static bool parse(const uint8_t *data, size_t size, struct control_packet *out)
{
    size_t head = size < CONTROL_HEADER_SIZE ? size : CONTROL_HEADER_SIZE;
    return control_packet_parse(bytes_of(data, head),
                                bytes_of(data + head, size - head), out);
}

#define PARSE(vector, out) parse(vector, sizeof vector, out)

static size_t write(const struct control_packet *p, uint8_t *out, size_t size)
{
    struct writer w = writer_of(out, size);
    control_packet_write_header(&w, p);
    control_packet_write_body(&w, p);
    return writer_ok(&w) ? w.size : 0;
}

static void openvpns_reset_is_read(void **state)
{
    (void)state;
    static const struct session_id session = {
        {0x68, 0x91, 0x92, 0x3f, 0xa3, 0x10, 0x34, 0x37}};
    struct control_packet p;
    assert_true(PARSE(vector_reset_plain, &p));
    assert_int_equal(p.opcode, OPCODE_CONTROL_HARD_RESET_CLIENT_V2);
    assert_int_equal(p.key_id, 0);
    assert_true(session_id_equal(&p.session, &session));
    assert_int_equal(p.ack_count, 0);
    assert_int_equal(p.message_id, 0);
    assert_int_equal(p.payload.size, 0);
}

static void openvpns_control_packet_is_read(void **state)
{
    (void)state;
    static const struct session_id peer = {
        {0xea, 0xfe, 0xbf, 0xa4, 0x41, 0x8a, 0xe3, 0x1b}};
    static const uint8_t tls[] = {0x16, 0x03, 0x01};
    struct control_packet p;
    assert_true(PARSE(vector_control_with_ack, &p));
    assert_int_equal(p.opcode, OPCODE_CONTROL_V1);
    assert_int_equal(p.ack_count, 1);
    assert_int_equal(p.acks[0], 0);
    assert_true(session_id_equal(&p.peer, &peer));
    assert_int_equal(p.message_id, 1);
    assert_bytes_equal(p.payload, bytes_of(tls, sizeof tls));
}

static void openvpns_acks_are_read(void **state)
{
    (void)state;
    static const struct session_id peer = {
        {0xdd, 0x85, 0xdb, 0x53, 0x56, 0x23, 0xb0, 0x2e}};
    struct control_packet p;
    assert_true(PARSE(vector_ack, &p));
    assert_int_equal(p.opcode, OPCODE_ACK_V1);
    assert_int_equal(p.ack_count, 1);
    assert_int_equal(p.acks[0], 0);
    assert_true(session_id_equal(&p.peer, &peer));

    assert_true(PARSE(vector_ack_three, &p));
    assert_int_equal(p.ack_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(p.acks[i], i);
    assert_true(session_id_equal(&p.peer, &peer));
}

static void what_is_read_is_written_again(void **state)
{
    (void)state;
    static const struct bytes vectors[] = {
        {vector_reset_plain, sizeof vector_reset_plain},
        {vector_control_with_ack, sizeof vector_control_with_ack},
        {vector_ack, sizeof vector_ack},
        {vector_ack_three, sizeof vector_ack_three},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct control_packet p;
        uint8_t again[64];
        assert_true(parse(vectors[i].data, vectors[i].size, &p));
        assert_bytes_equal(bytes_of(again, write(&p, again, sizeof again)),
                           vectors[i]);
    }
}

static struct control_packet sample(uint8_t opcode, uint8_t acks)
{
    static const uint8_t payload[] = "sixteen bytes...";
    struct control_packet p = {
        .opcode = opcode,
        .key_id = 5,
        .session = {{1, 2, 3, 4, 5, 6, 7, 8}},
        .ack_count = acks,
        .peer = {{9, 8, 7, 6, 5, 4, 3, 2}},
        .message_id = 0x01020304,
        .payload = {payload, 16},
    };
    for (uint32_t i = 0; i < acks; i++)
        p.acks[i] = 0xf0000000 + i;
    return p;
}

static void every_opcode_and_ack_count_makes_the_round_trip(void **state)
{
    (void)state;
    for (uint8_t opcode = 0; opcode < 32; opcode++) {
        if (!opcode_is_control(opcode))
            continue;
        for (uint8_t acks = 0; acks <= CONTROL_ACKS_MAX; acks++) {
            struct control_packet p = sample(opcode, acks), q;
            uint8_t wire[128];
            size_t size = write(&p, wire, sizeof wire);
            assert_true(parse(wire, size, &q));
            assert_int_equal(q.opcode, opcode);
            assert_int_equal(q.key_id, 5);
            assert_true(session_id_equal(&q.session, &p.session));
            assert_int_equal(q.ack_count, acks);
            assert_memory_equal(q.acks, p.acks, acks * sizeof *p.acks);
            if (acks)
                assert_true(session_id_equal(&q.peer, &p.peer));
            if (opcode == OPCODE_ACK_V1)
                continue;
            assert_int_equal(q.message_id, p.message_id);
            assert_bytes_equal(q.payload, p.payload);
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (uint8_t acks = 0; acks <= CONTROL_ACKS_MAX; acks++) {
        struct control_packet p = sample(OPCODE_CONTROL_V1, acks);
        uint8_t wire[128];
        size_t whole = write(&p, wire, sizeof wire);
        for (size_t size = 0; size < whole; size++) {
            uint8_t *copy = exact_copy(wire, size);
            struct control_packet q = {.opcode = 31};
            /* Nothing says how long the payload is. */
            bool expected = size >= whole - p.payload.size;
            assert_int_equal(parse(copy, size, &q), expected);
            if (!expected)
                assert_int_equal(q.opcode, 31);
            free(copy);
        }
    }
}

static void a_header_of_another_size_is_refused(void **state)
{
    (void)state;
    struct control_packet p;
    struct bytes body = {vector_reset_plain + CONTROL_HEADER_SIZE,
                         sizeof vector_reset_plain - CONTROL_HEADER_SIZE};
    assert_true(
        control_packet_parse(bytes_of(vector_reset_plain, 9), body, &p));
    assert_false(
        control_packet_parse(bytes_of(vector_reset_plain, 10), body, &p));
    assert_false(control_packet_parse(bytes_of(NULL, 0), body, &p));
}

static void more_than_eight_acks_are_refused(void **state)
{
    (void)state;
    uint8_t wire[CONTROL_HEADER_SIZE + 1 + 255 * 4 + 8 + 4];
    memset(wire, 1, sizeof wire);
    wire[0] = OPCODE_CONTROL_V1 << 3;
    struct control_packet p;
    for (unsigned count = 0; count < 256; count++) {
        wire[CONTROL_HEADER_SIZE] = (uint8_t)count;
        assert_int_equal(PARSE(wire, &p), count <= CONTROL_ACKS_MAX);
    }
}

static void a_zero_session_is_refused(void **state)
{
    (void)state;
    uint8_t wire[sizeof vector_control_with_ack];
    struct control_packet p;
    memcpy(wire, vector_control_with_ack, sizeof wire);
    memset(wire + 1, 0, 8);
    assert_false(PARSE(wire, &p));
    memcpy(wire, vector_control_with_ack, sizeof wire);
    memset(wire + 14, 0, 8);
    assert_false(PARSE(wire, &p));
}

static void only_the_opcodes_of_key_method_2_are_read(void **state)
{
    (void)state;
    uint8_t wire[sizeof vector_control_with_ack];
    struct control_packet p;
    memcpy(wire, vector_control_with_ack, sizeof wire);
    for (unsigned first = 0; first < 256; first++) {
        uint8_t opcode = opcode_of((uint8_t)first);
        bool control = opcode >= 3 && opcode <= 11 &&
                       opcode != OPCODE_DATA_V1 && opcode != OPCODE_DATA_V2;
        wire[0] = (uint8_t)first;
        assert_int_equal(PARSE(wire, &p), control);
        if (control)
            assert_int_equal(p.key_id, first & 7);
    }
}

static void what_follows_the_acks_of_an_ack_is_ignored(void **state)
{
    (void)state;
    uint8_t wire[sizeof vector_ack + 3] = {0};
    struct control_packet p;
    memcpy(wire, vector_ack, sizeof vector_ack);
    assert_true(PARSE(wire, &p));
    assert_int_equal(p.payload.size, 0);
    /* OpenVPN sends none without acknowledgements, and takes them. */
    wire[CONTROL_HEADER_SIZE] = 0;
    assert_true(parse(wire, CONTROL_HEADER_SIZE + 1, &p));
    assert_int_equal(p.ack_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openvpns_reset_is_read),
        cmocka_unit_test(openvpns_control_packet_is_read),
        cmocka_unit_test(openvpns_acks_are_read),
        cmocka_unit_test(what_is_read_is_written_again),
        cmocka_unit_test(every_opcode_and_ack_count_makes_the_round_trip),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_header_of_another_size_is_refused),
        cmocka_unit_test(more_than_eight_acks_are_refused),
        cmocka_unit_test(a_zero_session_is_refused),
        cmocka_unit_test(only_the_opcodes_of_key_method_2_are_read),
        cmocka_unit_test(what_follows_the_acks_of_an_ack_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
