#include "gateway/packet/mss.h"

#include "gateway/packet/ip_packet.h"
#include "tests/packet/craft.h"
#include "tests/unit.h"

/* Clamps a SYN with these options to packets of `size` bytes; its options are
 * then in `out`. The data is on the heap, at its exact size. */
static void clamp(struct bytes options, uint8_t flags, uint16_t size,
                  bool partial, uint8_t *out)
{
    struct craft c = {
        .source = craft_address("192.0.2.1"),
        .destination = craft_address("192.0.2.2"),
        .protocol = 6,
        .source_port = 1,
        .destination_port = 2,
        .flags = flags,
        .tcp_options = options,
    };
    struct packet p = partial ? craft_super_packet(&c, 0) : craft_packet(&c);
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    mss_clamp(&p, size);
    if (partial)
        assert_true(craft_partial_right(p.data, p.size, p.size));
    else
        assert_true(craft_checksums_right(p.data, p.size));
    memcpy(out, p.data + 40, options.size);
    free(p.data);
}

static uint16_t clamped(uint16_t told, uint16_t size)
{
    uint8_t options[4] = {2, 4, (uint8_t)(told >> 8), (uint8_t)told};
    uint8_t out[4];
    clamp(bytes_of(options, 4), TCP_SYN, size, false, out);
    return load_u16(out + 2);
}

static void the_option_is_lowered_and_never_raised(void **state)
{
    (void)state;
    assert_int_equal(clamped(1460, 1400), 1360);
    assert_int_equal(clamped(1361, 1400), 1360);
    assert_int_equal(clamped(1360, 1400), 1360);
    assert_int_equal(clamped(1000, 1400), 1000);
    assert_int_equal(clamped(0, 1400), 0);
    assert_int_equal(clamped(65535, 100), MSS_MIN);
    assert_int_equal(clamped(65535, 129), 89);
    assert_int_equal(clamped(65535, 0), MSS_MIN);
}

static void it_is_found_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t at = 0; at <= 8; at++) {
        uint8_t options[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
        uint8_t out[12], expected[12];
        options[at] = 2;
        options[at + 1] = 4;
        store_u16(options + at + 2, 1460);
        memcpy(expected, options, 12);
        store_u16(expected + at + 2, 1360);
        for (int partial = 0; partial < 2; partial++) {
            clamp(bytes_of(options, 12), TCP_SYN | TCP_ACK, 1400, partial, out);
            assert_memory_equal(out, expected, 12);
        }
    }
    uint8_t behind[8] = {3, 3, 7, 1, 2, 4, 5, 0xb4}, out[8];
    clamp(bytes_of(behind, 8), TCP_SYN, 1400, false, out);
    assert_int_equal(load_u16(out + 6), 1360);
}

static void anything_else_stays_as_it_is(void **state)
{
    (void)state;
    static const uint8_t options[][4] = {
        {0, 2, 4, 255},                 /* behind the end of the list */
        {2, 3, 255, 255},               /* of another length */
        {2, 5, 255, 255},               /* longer than the header */
        {5, 4, 255, 255},               /* another option */
        {2, 0, 255, 255},               /* no length at all */
        {2, 1, 255, 255}, {1, 1, 1, 2}, /* cut off behind its kind */
        {1, 1, 2, 4},                   /* and behind its length */
        {3, 2, 2, 4},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        uint8_t out[4];
        clamp(bytes_of(options[i], 4), TCP_SYN, 1400, false, out);
        assert_memory_equal(out, options[i], 4);
    }
    static const uint8_t data[] = {2, 4, 255, 255};
    uint8_t out[4];
    clamp(bytes_of(data, 4), TCP_ACK, 1400, false, out);
    assert_memory_equal(out, data, 4); /* only a SYN tells */
}

static void random_options_are_survived(void **state)
{
    (void)state;
    uint64_t seed = 6;
    for (int i = 0; i < 50000; i++) {
        uint8_t options[40], out[40];
        size_t size = 4 * craft_below(&seed, 11);
        for (size_t k = 0; k < size; k++)
            options[k] = (uint8_t)craft_below(&seed, i % 2 ? 6 : 256);
        clamp(bytes_of(options, size), TCP_SYN, 1400, i % 3 == 0, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_option_is_lowered_and_never_raised),
        cmocka_unit_test(it_is_found_wherever_it_stands),
        cmocka_unit_test(anything_else_stays_as_it_is),
        cmocka_unit_test(random_options_are_survived),
    };
    return cmocka_run_group_tests_name("mss", tests, NULL, NULL);
}
