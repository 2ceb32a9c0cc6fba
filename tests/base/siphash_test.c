#include "gateway/base/siphash.h"

#include "tests/unit.h"
#include "tests/vectors/siphash.h"

static const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static void the_authors_64_vectors_hold(void **state)
{
    (void)state;
    uint8_t message[64];
    for (size_t size = 0; size < 64; size++) {
        uint8_t hash[8];
        message[size] = (uint8_t)size;
        uint8_t *copy = exact_copy(message, size);
        uint64_t value = siphash(&key, copy, size);
        for (int i = 0; i < 8; i++)
            hash[i] = (uint8_t)(value >> (8 * i));
        assert_memory_equal(hash, vector_siphash[size], sizeof hash);
        free(copy);
    }
}

static void the_place_in_memory_does_not_matter(void **state)
{
    (void)state;
    uint8_t memory[64 + 8];
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 23; i++)
            memory[shift + i] = (uint8_t)i;
        uint64_t value = 0;
        for (int i = 7; i >= 0; i--)
            value = value << 8 | vector_siphash[23][i];
        assert_int_equal(siphash(&key, memory + shift, 23), value);
    }
}

static void each_bit_of_the_key_counts(void **state)
{
    (void)state;
    uint64_t original = siphash(&key, "abc", 3);
    for (int bit = 0; bit < 64; bit++) {
        struct siphash_key a = key, b = key;
        a.k0 ^= (uint64_t)1 << bit;
        b.k1 ^= (uint64_t)1 << bit;
        assert_int_not_equal(siphash(&a, "abc", 3), original);
        assert_int_not_equal(siphash(&b, "abc", 3), original);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_authors_64_vectors_hold),
        cmocka_unit_test(the_place_in_memory_does_not_matter),
        cmocka_unit_test(each_bit_of_the_key_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
