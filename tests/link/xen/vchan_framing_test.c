#include "gateway/link/xen/vchan_framing.h"

#include "tests/unit.h"

static uint8_t body[VCHAN_FRAMING_BODY_MAX];

/* All of the stream in pieces of at most `piece`, which must stop with
 * `last`; how many records were whole. */
static unsigned feed(struct vchan_framing_reader *r, struct bytes stream,
                     size_t piece, enum vchan_framing_result last)
{
    unsigned whole = 0;
    enum vchan_framing_result result = VCHAN_FRAMING_PARTIAL;
    while (stream.size) {
        struct vchan_framing_room room = vchan_framing_reader_room(r, body);
        size_t size = room.size < piece ? room.size : piece;
        if (size > stream.size)
            size = stream.size;
        if (size == 0)
            break;
        memcpy(room.data, stream.data, size);
        stream = bytes_of(stream.data + size, stream.size - size);
        result = vchan_framing_reader_put(r, size);
        whole += result == VCHAN_FRAMING_WHOLE;
    }
    assert_int_equal(result, last);
    return whole;
}

static size_t write_stream(uint8_t *out, uint32_t first, uint32_t second)
{
    uint8_t *at = out;
    vchan_framing_write_greeting(at, VCHAN_FRAMING_TAKES_UDP_GSO);
    at += VCHAN_FRAMING_GREETING_SIZE;
    vchan_framing_write_prefix(at, first);
    at += VCHAN_FRAMING_PREFIX_SIZE;
    memset(at, 'a', first);
    at += first;
    vchan_framing_write_prefix(at, second);
    at += VCHAN_FRAMING_PREFIX_SIZE;
    memset(at, 'b', second);
    return (size_t)(at - out) + second;
}

static void the_bytes_are_the_formats(void **state)
{
    (void)state;
    uint8_t greeting[VCHAN_FRAMING_GREETING_SIZE],
        prefix[VCHAN_FRAMING_PREFIX_SIZE];
    vchan_framing_write_greeting(greeting, VCHAN_FRAMING_TAKES_UDP_GSO);
    assert_memory_equal(greeting, "QVPN\1\0\1\0", sizeof greeting);
    vchan_framing_write_prefix(prefix, 0x10017);
    assert_memory_equal(prefix, "\x17\0\1\0", sizeof prefix);
    assert_int_equal(VCHAN_FRAMING_BODY_MAX, 10 + 14 + 65535);
}

static void what_is_written_is_read_in_whatever_pieces(void **state)
{
    (void)state;
    uint8_t stream[1024];
    size_t size = write_stream(stream, VCHAN_FRAMING_BODY_MIN, 300);
    for (size_t piece = 1; piece <= size; piece++) {
        struct vchan_framing_reader r;
        vchan_framing_reader_init(&r);
        assert_int_equal(
            feed(&r, bytes_of(stream, size), piece, VCHAN_FRAMING_WHOLE), 2);
        assert_int_equal(r.flags, VCHAN_FRAMING_TAKES_UDP_GSO);
        assert_int_equal(r.size, 300);
        assert_int_equal(body[0], 'b');
        assert_int_equal(body[299], 'b');
        assert_false(r.in_body);
    }
}

static void every_truncation_is_partial(void **state)
{
    (void)state;
    uint8_t stream[1024];
    size_t size = write_stream(stream, 100, 200);
    for (size_t n = 1; n < size; n++) {
        struct vchan_framing_reader r;
        uint8_t *copy = exact_copy(stream, n);
        vchan_framing_reader_init(&r);
        enum vchan_framing_result last =
            n == VCHAN_FRAMING_GREETING_SIZE ? VCHAN_FRAMING_GREETED
            : n == VCHAN_FRAMING_GREETING_SIZE + VCHAN_FRAMING_PREFIX_SIZE + 100
                ? VCHAN_FRAMING_WHOLE
                : VCHAN_FRAMING_PARTIAL;
        feed(&r, bytes_of(copy, n), SIZE_MAX, last);
        free(copy);
    }
}

static void the_largest_record_fits(void **state)
{
    (void)state;
    uint8_t *stream = malloc(2 * VCHAN_FRAMING_BODY_MAX);
    struct vchan_framing_reader r;
    size_t size =
        write_stream(stream, VCHAN_FRAMING_BODY_MAX, VCHAN_FRAMING_BODY_MIN);
    vchan_framing_reader_init(&r);
    assert_int_equal(
        feed(&r, bytes_of(stream, size), 4096, VCHAN_FRAMING_WHOLE), 2);
    free(stream);
}

static void a_greeting_that_is_none_is_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        uint8_t greeting[VCHAN_FRAMING_GREETING_SIZE];
        struct vchan_framing_reader r;
        vchan_framing_write_greeting(greeting, 0);
        greeting[i] ^= 0x80;
        vchan_framing_reader_init(&r);
        feed(&r, bytes_of(greeting, sizeof greeting), 3,
             VCHAN_FRAMING_MALFORMED);
        assert_int_equal(vchan_framing_reader_room(&r, body).size, 0);
    }
    /* Flags of later versions are nobody's fault. */
    uint8_t greeting[VCHAN_FRAMING_GREETING_SIZE];
    struct vchan_framing_reader r;
    vchan_framing_write_greeting(greeting, 0xfffe);
    vchan_framing_reader_init(&r);
    feed(&r, bytes_of(greeting, sizeof greeting), 8, VCHAN_FRAMING_GREETED);
    assert_false(r.flags & VCHAN_FRAMING_TAKES_UDP_GSO);
}

static void a_size_that_cannot_be_is_the_end(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0,
                                     1,
                                     VCHAN_FRAMING_BODY_MIN - 1,
                                     VCHAN_FRAMING_BODY_MAX + 1,
                                     INT32_MAX,
                                     UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t stream[VCHAN_FRAMING_GREETING_SIZE + VCHAN_FRAMING_PREFIX_SIZE];
        struct vchan_framing_reader r;
        vchan_framing_write_greeting(stream, 0);
        for (size_t n = 0; n < VCHAN_FRAMING_PREFIX_SIZE; n++)
            stream[VCHAN_FRAMING_GREETING_SIZE + n] =
                (uint8_t)(sizes[i] >> 8 * n);
        vchan_framing_reader_init(&r);
        feed(&r, bytes_of(stream, sizeof stream), 5, VCHAN_FRAMING_MALFORMED);
        assert_int_equal(vchan_framing_reader_room(&r, body).size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_the_formats),
        cmocka_unit_test(what_is_written_is_read_in_whatever_pieces),
        cmocka_unit_test(every_truncation_is_partial),
        cmocka_unit_test(the_largest_record_fits),
        cmocka_unit_test(a_greeting_that_is_none_is_the_end),
        cmocka_unit_test(a_size_that_cannot_be_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
