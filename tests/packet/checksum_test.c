#include "gateway/packet/checksum.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

static uint16_t slow_sum(const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? data[i] : (uint64_t)data[i] << 8;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* RFC 1071 section 3. */
static void the_rfc_example_sums_to_ddf2(void **state)
{
    (void)state;
    const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_sum(data, sizeof data), 0xddf2);
    assert_int_equal(checksum_finish(0xddf2), 0x220d);
}

static void every_size_and_alignment_sums_as_the_slow_way(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (size_t size = 0; size < 700; size++) {
        size_t shift = size % 9;
        uint8_t *data = malloc(size + shift + 1), *copy = malloc(size + 1);
        craft_fill(&seed, data, size + shift);
        if (size % 3 == 0)
            memset(data, 0xff, size + shift);
        uint16_t expected = slow_sum(data + shift, size);
        assert_int_equal(checksum_sum(data + shift, size), expected);
        assert_int_equal(checksum_sum_copy(copy, data + shift, size), expected);
        assert_memory_equal(copy, data + shift, size);
        free(data);
        free(copy);
    }
}

static void a_full_size_packet_of_ones_does_not_overflow(void **state)
{
    (void)state;
    size_t size = PACKET_SIZE_MAX;
    uint8_t *data = malloc(size);
    memset(data, 0xff, size);
    assert_int_equal(checksum_sum(data, size), slow_sum(data, size));
    free(data);
}

static void a_part_at_an_odd_offset_is_swapped(void **state)
{
    (void)state;
    uint64_t seed = 3;
    uint8_t data[101];
    craft_fill(&seed, data, sizeof data);
    uint32_t sum = checksum_sum(data, 37);
    sum += checksum_swap(checksum_sum(data + 37, sizeof data - 37));
    assert_int_equal(checksum_fold(sum), slow_sum(data, sizeof data));
}

static void a_patched_checksum_is_the_computed_one(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 20000; i++) {
        uint8_t data[40], old[8];
        craft_fill(&seed, data, sizeof data);
        if (i % 5 == 0)
            memset(data + 8, i % 2 ? 0xff : 0, 8);
        data[0] |= 1; /* a header is never all zeroes */
        uint16_t before = checksum_finish(checksum_sum(data, sizeof data));
        memcpy(old, data + 8, sizeof old);
        craft_fill(&seed, data + 8, sizeof old);
        uint32_t change = checksum_change_bytes(old, data + 8, sizeof old);
        uint16_t after = checksum_patch(before, change);
        assert_int_equal(after,
                         checksum_finish(checksum_sum(data, sizeof data)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_example_sums_to_ddf2),
        cmocka_unit_test(every_size_and_alignment_sums_as_the_slow_way),
        cmocka_unit_test(a_full_size_packet_of_ones_does_not_overflow),
        cmocka_unit_test(a_part_at_an_odd_offset_is_swapped),
        cmocka_unit_test(a_patched_checksum_is_the_computed_one),
    };
    return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
