#include "gateway/wireguard/wire.h"

#include "tests/unit.h"
#include "tests/wireguard/known_handshake.h"

static struct known_handshake k;

static void known_messages_are_read_and_written(void **state)
{
    (void)state;
    struct wire_initiation initiation;
    struct wire_response response;
    struct wire_cookie_reply reply;
    uint8_t out[WIRE_HANDSHAKE_MAX];

    assert_true(wire_read_initiation(
        bytes_of(k.initiation, sizeof k.initiation), &initiation));
    assert_int_equal(initiation.sender, KNOWN_INITIATOR_INDEX);
    wire_write_initiation(out, &initiation);
    assert_memory_equal(out, k.initiation, sizeof k.initiation);

    assert_true(
        wire_read_response(bytes_of(k.response, sizeof k.response), &response));
    assert_int_equal(response.sender, KNOWN_RESPONDER_INDEX);
    assert_int_equal(response.receiver, KNOWN_INITIATOR_INDEX);
    wire_write_response(out, &response);
    assert_memory_equal(out, k.response, sizeof k.response);

    assert_true(wire_read_cookie_reply(
        bytes_of(k.cookie_reply, sizeof k.cookie_reply), &reply));
    assert_int_equal(reply.receiver, KNOWN_INITIATOR_INDEX);
    wire_write_cookie_reply(out, &reply);
    assert_memory_equal(out, k.cookie_reply, sizeof k.cookie_reply);

    uint32_t receiver;
    uint64_t counter;
    assert_true(
        wire_read_data(bytes_of(k.data, sizeof k.data), &receiver, &counter));
    assert_int_equal(receiver, KNOWN_RESPONDER_INDEX);
    assert_int_equal(counter, 1);
    wire_write_data_header(out, receiver, counter);
    assert_memory_equal(out, k.data, WIRE_DATA_HEADER_SIZE);
}

/* Whether any reader takes it. */
static bool taken(struct bytes datagram)
{
    struct wire_initiation initiation;
    struct wire_response response;
    struct wire_cookie_reply reply;
    uint32_t receiver;
    uint64_t counter;
    return wire_read_initiation(datagram, &initiation) ||
           wire_read_response(datagram, &response) ||
           wire_read_cookie_reply(datagram, &reply) ||
           wire_read_data(datagram, &receiver, &counter);
}

static void refuse_other_sizes(const uint8_t *message, size_t size)
{
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = exact_copy(message, cut);
        assert_false(taken(bytes_of(copy, cut)));
        free(copy);
    }
    uint8_t longer[WIRE_HANDSHAKE_MAX + 1] = {0};
    memcpy(longer, message, size);
    assert_false(taken(bytes_of(longer, size + 1)));
}

static void a_handshake_message_has_its_size_and_no_other(void **state)
{
    (void)state;
    refuse_other_sizes(k.initiation, sizeof k.initiation);
    refuse_other_sizes(k.response, sizeof k.response);
    refuse_other_sizes(k.cookie_reply, sizeof k.cookie_reply);
}

static void data_are_refused_below_32_bytes(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof k.keepalive; size++) {
        uint8_t *copy = exact_copy(k.keepalive, size);
        assert_int_equal(taken(bytes_of(copy, size)),
                         size == WIRE_DATA_OVERHEAD);
        free(copy);
    }
}

static void the_type_is_four_bytes(void **state)
{
    (void)state;
    for (size_t byte = 0; byte < 4; byte++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t copy[sizeof k.initiation];
            memcpy(copy, k.initiation, sizeof copy);
            copy[byte] = (uint8_t)value;
            enum wire_type type = wire_type_of(bytes_of(copy, sizeof copy));
            bool other = byte > 0 ? value > 0 : value > WIRE_DATA;
            assert_int_equal(type == WIRE_NONE, other || (!byte && !value));
            /* 148 bytes may be data as well */
            assert_int_equal(taken(bytes_of(copy, sizeof copy)),
                             type == WIRE_INITIATION || type == WIRE_DATA);
        }
    assert_int_equal(wire_type_of(bytes_of("\1\0\0", 3)), WIRE_NONE);
}

static void what_is_refused_leaves_its_place_as_it_was(void **state)
{
    (void)state;
    struct wire_initiation before, after;
    memset(&before, 7, sizeof before);
    after = before;
    assert_false(wire_read_initiation(
        bytes_of(k.initiation, sizeof k.initiation - 1), &after));
    assert_memory_equal(&before, &after, sizeof after);
}

static void the_nonce_is_the_counter_behind_four_zeroes(void **state)
{
    (void)state;
    static const uint8_t expected[12] = {0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
    uint8_t nonce[12];
    wire_write_nonce(nonce, UINT64_C(0x0102030405060708));
    assert_memory_equal(nonce, expected, sizeof nonce);
}

static int prepare(void **state)
{
    (void)state;
    known_handshake_read(&k);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_messages_are_read_and_written),
        cmocka_unit_test(a_handshake_message_has_its_size_and_no_other),
        cmocka_unit_test(data_are_refused_below_32_bytes),
        cmocka_unit_test(the_type_is_four_bytes),
        cmocka_unit_test(what_is_refused_leaves_its_place_as_it_was),
        cmocka_unit_test(the_nonce_is_the_counter_behind_four_zeroes),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
