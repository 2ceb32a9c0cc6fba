#include "gateway/wireguard/data/ecn.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

static size_t packet(const char *from, const char *to, uint8_t tos,
                     uint8_t *out)
{
    struct craft c = {
        .source = craft_address(from),
        .destination = craft_address(to),
        .protocol = 17,
        .source_port = 5,
        .destination_port = 6,
        .ttl = 64,
        .tos = tos,
        .payload = bytes_of_text("hello"),
    };
    return craft_write(&c, out);
}

static void outside_are_two_bits_and_never_congestion(void **state)
{
    (void)state;
    static const uint8_t expected[4] = {0, 1, 2, 2};
    uint8_t p[100];
    for (uint8_t tos = 0; tos < 255; tos++) {
        packet("10.0.0.1", "10.0.0.2", tos, p);
        assert_int_equal(ecn_outer(p), expected[tos & 3]);
    }
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        packet("fd00::1", "fd00::2", 0, p);
        p[1] = (uint8_t)(ecn << 4 | 0xcf);
        assert_int_equal(ecn_outer(p), expected[ecn]);
    }
}

/* RFC 6040, figure 4; what it would drop stays as it was. */
static const uint8_t combined[4][4] = {
    /* outer: Not-ECT, ECT(1), ECT(0), CE */
    {0, 0, 0, 0}, /* inner Not-ECT */
    {1, 1, 1, 3}, /* ECT(1) */
    {2, 1, 2, 3}, /* ECT(0) */
    {3, 3, 3, 3}, /* CE */
};

static void what_the_path_marked_comes_in(void **state)
{
    (void)state;
    uint8_t p[100];
    for (uint8_t inner = 0; inner < 4; inner++)
        for (uint8_t outer = 0; outer < 4; outer++) {
            size_t size = packet("10.0.0.1", "10.0.0.2", 0xb8 | inner, p);
            ecn_combine(p, outer);
            assert_int_equal(p[1], 0xb8 | combined[inner][outer]);
            assert_true(craft_checksums_right(p, size));

            size = packet("fd00::1", "fd00::2", 0, p);
            p[0] = 0x6b; /* traffic class 0xb8, flow label 0xcdefa */
            p[1] = (uint8_t)(0x8c | inner << 4);
            ecn_combine(p, outer);
            assert_int_equal(p[0], 0x6b);
            assert_int_equal(p[1], 0x8c | combined[inner][outer] << 4);
            assert_true(craft_checksums_right(p, size));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_are_two_bits_and_never_congestion),
        cmocka_unit_test(what_the_path_marked_comes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
