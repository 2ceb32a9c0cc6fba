#include "qubesdb/message.h"

#include "tests/unit.h"

enum { ROUNDS = 20000 };

static const char longest_path[] =
    "/23456789012345678901234567890123456789012345678901234567890123";

static size_t encode(const struct message *m, uint8_t out[MESSAGE_SIZE_MAX])
{
    struct writer w = writer_of(out, MESSAGE_SIZE_MAX);
    return message_encode(&w, m) ? w.size : 0;
}

static struct message make(enum message_type type, const char *path,
                           struct bytes data)
{
    struct message m = {.type = type, .data = data};
    assert_true(strlen(path) < sizeof m.path);
    memcpy(m.path, path, strlen(path));
    return m;
}

static bool encodes(enum message_type type, const char *path, const char *data)
{
    uint8_t out[MESSAGE_SIZE_MAX];
    struct message m = make(type, path, bytes_of_text(data));
    return encode(&m, out) > 0;
}

/* The bytes that qubesdb-daemon 4.3.3 sends for these. */
static void known_messages_have_their_bytes(void **state)
{
    (void)state;
    uint8_t out[MESSAGE_SIZE_MAX], expected[MESSAGE_HEADER_SIZE + 4] = {0};
    struct message m = make(MESSAGE_WRITE, "/name", bytes_of_text("work"));

    expected[0] = 1;
    memcpy(expected + 1, "/name", 5);
    expected[68] = 4;
    memcpy(expected + 72, "work", 4);
    assert_int_equal(encode(&m, out), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);

    static uint8_t large[MESSAGE_DATA_MAX];
    memset(large, 'x', sizeof large);
    m = make(MESSAGE_ENTRY, longest_path, bytes_of(large, sizeof large));
    assert_int_equal(encode(&m, out), MESSAGE_SIZE_MAX);
    assert_int_equal(out[0], 11);
    assert_int_equal(out[63], '3');
    assert_int_equal(out[64], 0);
    assert_int_equal(out[68], 0xff); /* 3071, little endian */
    assert_int_equal(out[69], 0x0b);
    assert_int_equal(out[70], 0);
}

static void the_numbers_of_the_types_are_the_protocols(void **state)
{
    (void)state;
    assert_int_equal(MESSAGE_READ, 0);
    assert_int_equal(MESSAGE_UNWATCH, 6);
    assert_int_equal(MESSAGE_OK, 7);
    assert_int_equal(MESSAGE_ERROR_NOENT, 8);
    assert_int_equal(MESSAGE_VALUE, 10);
    assert_int_equal(MESSAGE_EVENT, 13);
}

static void what_a_daemon_would_not_take_is_not_encoded(void **state)
{
    (void)state;
    static char large[MESSAGE_DATA_MAX + 2];
    memset(large, 'x', MESSAGE_DATA_MAX + 1);

    assert_true(encodes(MESSAGE_READ, "/a", ""));
    assert_true(encodes(MESSAGE_WATCH, "/a/", ""));
    assert_true(encodes(MESSAGE_MULTIREAD, "", ""));
    assert_true(encodes(MESSAGE_READ, "/aZ09-_./:@", ""));
    assert_false(encodes(MESSAGE_READ, "", ""));
    assert_false(encodes(MESSAGE_READ, "a", ""));
    assert_false(encodes(MESSAGE_READ, "/a b", ""));
    assert_false(encodes(MESSAGE_READ, "/a\n", ""));
    assert_false(encodes(MESSAGE_READ, "/\xc3\xa4", ""));
    assert_false(encodes(MESSAGE_READ, "/a", "data"));
    assert_false(encodes(MESSAGE_WATCH, "/a", "data"));
    assert_false(encodes(MESSAGE_MULTIREAD, "", "data"));
    assert_false(encodes(MESSAGE_WRITE, "/a/", "data"));
    assert_false(encodes(MESSAGE_WRITE, "", "data"));
    assert_false(encodes(MESSAGE_WRITE, "/a", large));
    large[MESSAGE_DATA_MAX] = '\0';
    assert_true(encodes(MESSAGE_WRITE, "/a", large));

    uint8_t out[MESSAGE_SIZE_MAX];
    struct message m = make(MESSAGE_WRITE, "/a", bytes_of("a\0b", 3));
    assert_int_equal(encode(&m, out), 0);
    m = make(MESSAGE_READ, longest_path, bytes_of(NULL, 0));
    assert_int_equal(encode(&m, out), MESSAGE_HEADER_SIZE);
    memset(m.path, 'a', sizeof m.path); /* never ends */
    m.path[0] = '/';
    assert_int_equal(encode(&m, out), 0);
}

static void without_room_nothing_is_written(void **state)
{
    (void)state;
    struct message m = make(MESSAGE_WRITE, "/a", bytes_of_text("value"));
    size_t whole = MESSAGE_HEADER_SIZE + 5;
    for (size_t room = 0; room < whole; room++) {
        uint8_t *memory = malloc(room ? room : 1);
        struct writer w = writer_of(memory, room);
        assert_false(message_encode(&w, &m));
        assert_int_equal(w.size, 0);
        free(memory);
    }
}

static enum message_result decode_copy(const uint8_t *data, size_t size,
                                       struct message *m, size_t *taken)
{
    /* A copy of exact size, so that reading beyond it is seen. */
    uint8_t *copy = exact_copy(data, size);
    enum message_result result = message_decode(bytes_of(copy, size), m, taken);
    free(copy);
    return result;
}

static void every_truncation_is_partial(void **state)
{
    (void)state;
    uint8_t out[MESSAGE_SIZE_MAX];
    struct message m = make(MESSAGE_VALUE, "/name", bytes_of_text("a value"));
    size_t size = encode(&m, out), taken;

    for (size_t i = 0; i < size; i++)
        assert_int_equal(decode_copy(out, i, &m, &taken), MESSAGE_PARTIAL);
    assert_int_equal(decode_copy(out, size, &m, &taken), MESSAGE_WHOLE);
    assert_int_equal(taken, size);
}

static struct message random_message(uint32_t *seed, uint8_t *data)
{
    static const char characters[] = "abzABZ019_./:@-";
    struct message m = {
        .type = (enum message_type)(next_random(seed) % MESSAGE_TYPE_COUNT)};
    size_t size = next_random(seed) % MESSAGE_PATH_SIZE;
    for (size_t i = 0; i < size; i++)
        m.path[i] =
            i ? characters[next_random(seed) % (sizeof characters - 1)] : '/';
    size_t data_size = next_random(seed) % 3 ? 0 : next_random(seed) % 3200;
    for (size_t i = 0; i < data_size; i++)
        data[i] = (uint8_t)(1 + next_random(seed) % 255);
    m.data = bytes_of(data, data_size);
    return m;
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    uint8_t data[3200], out[MESSAGE_SIZE_MAX + 7];
    uint32_t seed = 1;
    unsigned encoded = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct message m = random_message(&seed, data), back;
        size_t size = encode(&m, out), taken;
        if (!size)
            continue;
        encoded++;
        memset(out + size, 0xff, 7); /* the next message is not looked at */
        assert_int_equal(message_decode(bytes_of(out, size + 7), &back, &taken),
                         MESSAGE_WHOLE);
        assert_int_equal(taken, size);
        assert_int_equal(back.type, m.type);
        assert_string_equal(back.path, m.path);
        assert_true(bytes_equal(back.data, m.data));
    }
    assert_in_range(encoded, ROUNDS / 4, ROUNDS);
}

static void rubbish_never_decodes_to_what_is_no_message(void **state)
{
    (void)state;
    uint8_t data[MESSAGE_SIZE_MAX];
    uint32_t seed = 2;

    for (int i = 0; i < ROUNDS; i++) {
        struct message m;
        size_t size = next_random(&seed) % 160, taken;
        for (size_t j = 0; j < size; j++)
            data[j] =
                (uint8_t)(next_random(&seed) % 3 ? 0 : next_random(&seed));
        if (size > 1 && next_random(&seed) % 2)
            data[1] = '/';
        if (decode_copy(data, size, &m, &taken) != MESSAGE_WHOLE)
            continue;
        assert_true(taken <= size && taken >= MESSAGE_HEADER_SIZE);
        assert_true(m.type < MESSAGE_TYPE_COUNT);
        assert_true(strnlen(m.path, sizeof m.path) < sizeof m.path);
        assert_true(m.data.size <= MESSAGE_DATA_MAX);
    }
}

static void a_header_that_cannot_be_is_malformed(void **state)
{
    (void)state;
    struct message m;
    size_t taken;
    uint8_t good[MESSAGE_HEADER_SIZE + 1] = {MESSAGE_VALUE, '/', 'a'};
    good[72] = 'x';
    good[68] = 1;
    assert_int_equal(decode_copy(good, sizeof good, &m, &taken), MESSAGE_WHOLE);

    /* Padding is ignored, and so is what stands behind the path's end. */
    uint8_t other[sizeof good];
    memcpy(other, good, sizeof good);
    memset(other + 65, 0xff, 3);
    memset(other + 5, 0xff, 59);
    assert_int_equal(decode_copy(other, sizeof other, &m, &taken),
                     MESSAGE_WHOLE);
    assert_string_equal(m.path, "/a");

    memcpy(other, good, sizeof good);
    other[0] = MESSAGE_TYPE_COUNT;
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);
    other[0] = MESSAGE_OK; /* has no data */
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);

    memcpy(other, good, sizeof good);
    memset(other + 1, 'a', 64);
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);

    memcpy(other, good, sizeof good);
    other[69] = 0x0c; /* 3073 */
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);
    other[68] = 0; /* 3072 */
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);
    other[68] = 0xff;
    other[69] = 0x0b; /* 3071 */
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_PARTIAL);
    other[71] = 1;
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);

    memcpy(other, good, sizeof good);
    other[72] = 0;
    assert_int_equal(decode_copy(other, sizeof other, &m, &taken),
                     MESSAGE_MALFORMED);
    other[1] = 0; /* no path, but data */
    assert_int_equal(decode_copy(other, 72, &m, &taken), MESSAGE_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_messages_have_their_bytes),
        cmocka_unit_test(the_numbers_of_the_types_are_the_protocols),
        cmocka_unit_test(what_a_daemon_would_not_take_is_not_encoded),
        cmocka_unit_test(without_room_nothing_is_written),
        cmocka_unit_test(every_truncation_is_partial),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(rubbish_never_decodes_to_what_is_no_message),
        cmocka_unit_test(a_header_that_cannot_be_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
