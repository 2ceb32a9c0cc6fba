#include "tests/unit.h"

static const uint8_t sample[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                 0xcd, 0xef, 0x10, 0x32, 0x54, 0x76,
                                 0x98, 0xba, 0xdc, 0xfe};

static void integers_are_big_endian(void **state)
{
    (void)state;
    struct reader r = reader_of(bytes_of(sample, 15));
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x2345);
    assert_int_equal(read_u32(&r), 0x6789abcd);
    assert_int_equal(read_u64(&r), 0xef1032547698badc);
    assert_true(reader_finished(&r));

    uint8_t memory[15];
    struct writer w = writer_of(memory, sizeof memory);
    write_u8(&w, 0x01);
    write_u16(&w, 0x2345);
    write_u32(&w, 0x6789abcd);
    write_u64(&w, 0xef1032547698badc);
    assert_true(writer_ok(&w));
    assert_bytes_equal(writer_bytes(&w), bytes_of(sample, 15));
}

static void all_bits_survive_loading_and_storing(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        uint8_t memory[8];
        uint64_t value = (uint64_t)1 << bit;
        store_u64(memory, value);
        assert_int_equal(load_u64(memory), value);
        store_u32(memory, (uint32_t)value);
        assert_int_equal(load_u32(memory), (uint32_t)value);
        store_u16(memory, (uint16_t)value);
        assert_int_equal(load_u16(memory), (uint16_t)value);
    }
}

/* A layout of every kind of read: whole, it is right; one byte less, and it
 * fails, whatever the place of the missing byte. */
static void a_short_source_fails_and_yields_zeroes(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof sample; size++) {
        uint8_t *copy = exact_copy(sample, size);
        struct reader r = reader_of(bytes_of(copy, size));
        uint8_t into[3];
        uint8_t a = read_u8(&r);
        uint16_t b = read_u16(&r);
        read_into(&r, into, sizeof into);
        struct bytes c = read_bytes(&r, 1);
        struct reader sub = read_sub(&r, 5);
        uint32_t d = read_u32(&sub);
        uint8_t e = read_u8(&sub);
        uint32_t f = read_u32(&r);
        bool whole = size == sizeof sample;
        assert_int_equal(reader_ok(&r), whole);
        assert_int_equal(reader_finished(&r), whole);
        assert_int_equal(a, size >= 1 ? 0x01 : 0);
        assert_int_equal(b, size >= 3 ? 0x2345 : 0);
        assert_int_equal(into[2], size >= 6 ? 0xab : 0);
        assert_int_equal(c.size, size >= 7);
        assert_int_equal(reader_finished(&sub), size >= 12);
        assert_int_equal(d, size >= 12 ? 0xef103254 : 0);
        assert_int_equal(e, size >= 12 ? 0x76 : 0);
        assert_int_equal(f, whole ? 0x98badcfe : 0);
        free(copy);
    }
}

static void failure_sticks(void **state)
{
    (void)state;
    struct reader r = reader_of(bytes_of(sample, 4));
    (void)read_bytes(&r, 5);
    assert_int_equal(read_u8(&r), 0);
    assert_int_equal(read_rest(&r).size, 0);
    assert_int_equal(read_bytes(&r, 0).size, 0);
    assert_false(reader_ok(&r));
    assert_false(reader_finished(&r));
    struct reader sub = read_sub(&r, 0);
    assert_false(reader_ok(&sub));
}

static void an_enormous_size_fails(void **state)
{
    (void)state;
    struct reader r = reader_of(bytes_of(sample, 4));
    (void)read_u8(&r);
    assert_null(read_bytes(&r, SIZE_MAX).data);
    assert_false(reader_ok(&r));

    uint8_t memory[4];
    struct writer w = writer_of(memory, sizeof memory);
    write_u8(&w, 1);
    assert_null(write_space(&w, SIZE_MAX));
    assert_false(writer_ok(&w));
}

static void what_is_left_over_is_not_finished(void **state)
{
    (void)state;
    struct reader r = reader_of(bytes_of(sample, 4));
    (void)read_u16(&r);
    assert_true(reader_ok(&r));
    assert_false(reader_finished(&r));
    assert_bytes_equal(read_rest(&r), bytes_of(sample + 2, 2));
    assert_true(reader_finished(&r));
    assert_int_equal(read_rest(&r).size, 0);
    assert_true(reader_finished(&r));
}

static void nothing_at_all_may_be_null(void **state)
{
    (void)state;
    struct reader r = reader_of(bytes_of(NULL, 0));
    assert_int_equal(read_rest(&r).size, 0);
    assert_true(reader_finished(&r));
    assert_int_equal(read_u8(&r), 0);
    assert_false(reader_ok(&r));

    struct writer w = writer_of(NULL, 0);
    write_bytes(&w, bytes_of(NULL, 0));
    assert_true(writer_ok(&w));
    write_u8(&w, 1);
    assert_false(writer_ok(&w));
}

/* Over every capacity: what does not fit is not written, nor what follows. */
static void a_full_writer_fails_and_stays_so(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 16; capacity++) {
        uint8_t *memory = malloc(capacity ? capacity : 1);
        assert_non_null(memory);
        struct writer w = writer_of(memory, capacity);
        write_u8(&w, 0x01);
        write_u16(&w, 0x2345);
        write_bytes(&w, bytes_of(sample + 3, 4));
        write_u64(&w, 0xef1032547698badc);
        uint8_t *space = write_space(&w, 1);
        if (space)
            *space = 0xfe;
        assert_int_equal(writer_ok(&w), capacity == 16);
        assert_int_equal(space != NULL, capacity == 16);
        assert_int_equal(w.size, capacity >= 16   ? 16
                                 : capacity >= 15 ? 15
                                 : capacity >= 7  ? 7
                                 : capacity >= 3  ? 3
                                                  : capacity >= 1);
        assert_memory_equal(memory, sample, w.size);
        free(memory);
    }
}

static void equality_is_of_size_and_content(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of(sample, 0)));
    assert_true(bytes_equal(bytes_of_text("abc"), bytes_of("abc", 3)));
    assert_false(bytes_equal(bytes_of_text("abc"), bytes_of_text("abd")));
    assert_false(bytes_equal(bytes_of_text("abc"), bytes_of_text("ab")));
    assert_false(bytes_equal(bytes_of_text("a"), bytes_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(all_bits_survive_loading_and_storing),
        cmocka_unit_test(a_short_source_fails_and_yields_zeroes),
        cmocka_unit_test(failure_sticks),
        cmocka_unit_test(an_enormous_size_fails),
        cmocka_unit_test(what_is_left_over_is_not_finished),
        cmocka_unit_test(nothing_at_all_may_be_null),
        cmocka_unit_test(a_full_writer_fails_and_stays_so),
        cmocka_unit_test(equality_is_of_size_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
