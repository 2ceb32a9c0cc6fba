#include "gateway/link/record.h"

#include "tests/unit.h"

static uint8_t body[RECORD_BODY_MAX];

/* All of the stream in pieces of at most `piece`, which must stop with
 * `last`; how many records were whole. */
static unsigned feed(struct record_reader *r, struct bytes stream, size_t piece,
                     enum record_result last)
{
    unsigned whole = 0;
    enum record_result result = RECORD_PARTIAL;
    while (stream.size) {
        struct record_room room = record_reader_room(r, body);
        size_t size = room.size < piece ? room.size : piece;
        if (size > stream.size)
            size = stream.size;
        if (size == 0)
            break;
        memcpy(room.data, stream.data, size);
        stream = bytes_of(stream.data + size, stream.size - size);
        result = record_reader_put(r, size);
        whole += result == RECORD_WHOLE;
    }
    assert_int_equal(result, last);
    return whole;
}

static size_t write_stream(uint8_t *out, uint32_t first, uint32_t second)
{
    uint8_t *at = out;
    record_write_greeting(at, RECORD_TAKES_UDP_GSO);
    at += RECORD_GREETING_SIZE;
    record_write_prefix(at, first);
    at += RECORD_PREFIX_SIZE;
    memset(at, 'a', first);
    at += first;
    record_write_prefix(at, second);
    at += RECORD_PREFIX_SIZE;
    memset(at, 'b', second);
    return (size_t)(at - out) + second;
}

static void the_bytes_are_the_formats(void **state)
{
    (void)state;
    uint8_t greeting[RECORD_GREETING_SIZE], prefix[RECORD_PREFIX_SIZE];
    record_write_greeting(greeting, RECORD_TAKES_UDP_GSO);
    assert_memory_equal(greeting, "QVPN\1\0\1\0", sizeof greeting);
    record_write_prefix(prefix, 0x10017);
    assert_memory_equal(prefix, "\x17\0\1\0", sizeof prefix);
    assert_int_equal(RECORD_BODY_MAX, 10 + 14 + 65535);
}

static void what_is_written_is_read_in_whatever_pieces(void **state)
{
    (void)state;
    uint8_t stream[1024];
    size_t size = write_stream(stream, RECORD_BODY_MIN, 300);
    for (size_t piece = 1; piece <= size; piece++) {
        struct record_reader r;
        record_reader_init(&r);
        assert_int_equal(feed(&r, bytes_of(stream, size), piece, RECORD_WHOLE),
                         2);
        assert_int_equal(r.flags, RECORD_TAKES_UDP_GSO);
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
        struct record_reader r;
        uint8_t *copy = exact_copy(stream, n);
        record_reader_init(&r);
        enum record_result last =
            n == RECORD_GREETING_SIZE ? RECORD_GREETED
            : n == RECORD_GREETING_SIZE + RECORD_PREFIX_SIZE + 100
                ? RECORD_WHOLE
                : RECORD_PARTIAL;
        feed(&r, bytes_of(copy, n), SIZE_MAX, last);
        free(copy);
    }
}

static void the_largest_record_fits(void **state)
{
    (void)state;
    uint8_t *stream = malloc(2 * RECORD_BODY_MAX);
    struct record_reader r;
    size_t size = write_stream(stream, RECORD_BODY_MAX, RECORD_BODY_MIN);
    record_reader_init(&r);
    assert_int_equal(feed(&r, bytes_of(stream, size), 4096, RECORD_WHOLE), 2);
    free(stream);
}

static void a_greeting_that_is_none_is_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        uint8_t greeting[RECORD_GREETING_SIZE];
        struct record_reader r;
        record_write_greeting(greeting, 0);
        greeting[i] ^= 0x80;
        record_reader_init(&r);
        feed(&r, bytes_of(greeting, sizeof greeting), 3, RECORD_MALFORMED);
        assert_int_equal(record_reader_room(&r, body).size, 0);
    }
    /* Flags of later versions are nobody's fault. */
    uint8_t greeting[RECORD_GREETING_SIZE];
    struct record_reader r;
    record_write_greeting(greeting, 0xfffe);
    record_reader_init(&r);
    feed(&r, bytes_of(greeting, sizeof greeting), 8, RECORD_GREETED);
    assert_false(r.flags & RECORD_TAKES_UDP_GSO);
}

static void a_size_that_cannot_be_is_the_end(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {
        0, 1, RECORD_BODY_MIN - 1, RECORD_BODY_MAX + 1, INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t stream[RECORD_GREETING_SIZE + RECORD_PREFIX_SIZE];
        struct record_reader r;
        record_write_greeting(stream, 0);
        for (size_t n = 0; n < RECORD_PREFIX_SIZE; n++)
            stream[RECORD_GREETING_SIZE + n] = (uint8_t)(sizes[i] >> 8 * n);
        record_reader_init(&r);
        feed(&r, bytes_of(stream, sizeof stream), 5, RECORD_MALFORMED);
        assert_int_equal(record_reader_room(&r, body).size, 0);
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
