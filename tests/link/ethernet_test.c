#include "gateway/link/ethernet.h"
#include "tests/unit.h"

static const uint8_t frame[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 1,
                                2,    3,    4,    5,    0x86, 0xdd, 'a',  'b'};

static void a_frame_is_header_and_payload(void **state)
{
    (void)state;
    struct ethernet_header header;
    struct bytes payload;
    uint8_t written[ETHERNET_HEADER_SIZE];
    assert_true(
        ethernet_parse(bytes_of(frame, sizeof frame), &header, &payload));
    assert_memory_equal(header.destination, ethernet_gateway_mac, 6);
    assert_memory_equal(header.source, frame + 6, 6);
    assert_int_equal(header.type, ETHERTYPE_IPV6);
    assert_bytes_equal(payload, bytes_of("ab", 2));
    ethernet_write(written, &header);
    assert_memory_equal(written, frame, sizeof written);
}

static void every_truncated_header_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < ETHERNET_HEADER_SIZE; size++) {
        uint8_t *copy = exact_copy(frame, size);
        struct ethernet_header header = {.type = 1};
        struct bytes payload = {frame, 1};
        assert_false(ethernet_parse(bytes_of(copy, size), &header, &payload));
        assert_int_equal(header.type, 1);
        assert_int_equal(payload.size, 1);
        free(copy);
    }
}

static void a_frame_may_be_empty(void **state)
{
    (void)state;
    uint8_t *copy = exact_copy(frame, ETHERNET_HEADER_SIZE);
    struct ethernet_header header;
    struct bytes payload;
    assert_true(ethernet_parse(bytes_of(copy, ETHERNET_HEADER_SIZE), &header,
                               &payload));
    assert_int_equal(payload.size, 0);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_header_and_payload),
        cmocka_unit_test(every_truncated_header_is_refused),
        cmocka_unit_test(a_frame_may_be_empty),
    };
    return cmocka_run_group_tests_name("ethernet", tests, NULL, NULL);
}
