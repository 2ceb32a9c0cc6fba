#include "gateway/openvpn/data/fragment_header.h"

#include "tests/unit.h"

static bool read(uint32_t bits, struct fragment_header *h)
{
    uint8_t bytes[FRAGMENT_HEADER_SIZE];
    struct writer w = writer_of(bytes, sizeof bytes);
    write_u32(&w, bits);
    struct reader r = reader_of(writer_bytes(&w));
    return fragment_header_read(&r, h);
}

static uint32_t written(const struct fragment_header *h)
{
    uint8_t bytes[FRAGMENT_HEADER_SIZE];
    struct writer w = writer_of(bytes, sizeof bytes);
    fragment_header_write(&w, h);
    assert_true(writer_ok(&w));
    return load_u32(bytes);
}

/* OpenVPN 2.6.14 with `fragment 600' and a packet of 1400 bytes, 468 of which
 * were in each datagram but the last. */
static void headers_are_openvpns(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        struct fragment_header h;
    } vectors[] = {
        {0x00000000, {FRAGMENT_WHOLE, 0, 0, 0}},
        {0x00000255, {FRAGMENT_MORE, 0x95, 0, 0}},
        {0x00000655, {FRAGMENT_MORE, 0x95, 1, 0}},
        {0x003a8a56, {FRAGMENT_LAST, 0x95, 2, 468}},
        {0x003a8a5a, {FRAGMENT_LAST, 0x96, 2, 468}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct fragment_header h;
        const struct fragment_header *e = &vectors[i].h;
        assert_true(read(vectors[i].bits, &h));
        assert_int_equal(h.type, e->type);
        assert_int_equal(h.sequence, e->sequence);
        assert_int_equal(h.number, e->number);
        assert_int_equal(h.size, e->size);
        assert_int_equal(written(e), vectors[i].bits);
    }
}

static void every_header_goes_round(void **state)
{
    (void)state;
    for (unsigned sequence = 0; sequence < 256; sequence += 5)
        for (unsigned number = 0; number < 32; number++)
            for (unsigned size = 0; size < 0x3fff * 4; size += 0x3fc) {
                const struct fragment_header all = {
                    FRAGMENT_LAST, (uint8_t)sequence, (uint8_t)number,
                    (uint16_t)size};
                struct fragment_header h;
                assert_true(read(written(&all), &h));
                assert_int_equal(h.type, FRAGMENT_LAST);
                assert_int_equal(h.sequence, sequence);
                assert_int_equal(h.number, number);
                assert_int_equal(h.size, size);
            }
}

static void every_truncated_header_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < FRAGMENT_HEADER_SIZE; size++) {
        uint8_t *bytes = exact_copy("\0\0\0", size);
        struct fragment_header h = {.number = 7};
        struct reader r = reader_of(bytes_of(bytes, size));
        assert_false(fragment_header_read(&r, &h));
        assert_int_equal(h.number, 7);
        free(bytes);
    }
}

static void what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct fragment_header h;
    assert_false(read(0x00000003, &h)); /* FRAG_TEST */
    assert_false(read(0x00000254, &h)); /* whole, with a sequence */
    assert_false(read(0x00000400, &h)); /* whole, with a number */
    assert_true(read(0xe0000000, &h));  /* bits that mean nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_openvpns),
        cmocka_unit_test(every_header_goes_round),
        cmocka_unit_test(every_truncated_header_is_refused),
        cmocka_unit_test(what_contradicts_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
