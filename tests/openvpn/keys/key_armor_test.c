#include "gateway/openvpn/keys/key_armor.h"

#include "tests/unit.h"

static bool take(const char *text, size_t size, size_t capacity, char out[64])
{
    uint8_t *copy = exact_copy(text, size);
    uint8_t *room = malloc(capacity ? capacity : 1);
    size_t taken;
    assert_non_null(room);
    bool ok =
        key_armor_take(bytes_of(copy, size), "a key", room, capacity, &taken);
    if (ok) {
        assert_true(taken <= capacity && taken < 64);
        memcpy(out, room, taken);
        out[taken] = '\0';
    }
    free(room);
    free(copy);
    return ok;
}

static void assert_taken(const char *text, const char *expected)
{
    char out[64];
    assert_true(take(text, strlen(text), strlen(expected), out));
    assert_string_equal(out, expected);
}

static void assert_refused(const char *text)
{
    char out[64];
    assert_false(take(text, strlen(text), 63, out));
}

static void what_stands_between_the_lines_is_taken(void **state)
{
    (void)state;
    assert_taken("-----BEGIN a key-----\nab\ncd\n-----END a key-----\n",
                 "abcd");
    assert_taken("# x\n-----BEGIN a key-----\r\n a\tb\r\n-----END a key-----xx",
                 "ab");
    assert_taken("-----BEGIN a key----------END a key-----", "");
    /* Another key in front. */
    assert_taken("-----BEGIN b-----\nzz\n-----END b-----\n"
                 "-----BEGIN a key-----\nab\n-----END a key-----\n",
                 "ab");
}

static void a_missing_line_is_refused(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("abcd");
    assert_refused("-----BEGIN a key-----\nab\n");
    assert_refused("ab\n-----END a key-----\n");
    assert_refused("-----BEGIN a key-----\nab\n-----END b key-----\n");
    assert_refused("-----BEGIN a kez-----\nab\n-----END a key-----\n");
    assert_refused("-----END a key-----\nab\n-----BEGIN a key-----\n");
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const char text[] =
        "\n-----BEGIN a key-----\nab\n-----END a key-----";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char out[64];
        assert_false(take(text, size, 63, out));
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char text[] = "-----BEGIN a key-----abc-----END a key-----";
    char out[64];
    assert_false(take(text, sizeof text - 1, 2, out));
    assert_true(take(text, sizeof text - 1, 3, out));
}

static void lines_are_cut_at_their_width(void **state)
{
    (void)state;
    char text[128];
    struct writer w = writer_of(text, sizeof text);
    key_armor_write(&w, "a key", bytes_of_text("abcdefg"), 3);
    write_u8(&w, '\0');
    assert_true(writer_ok(&w));
    assert_string_equal(
        text, "-----BEGIN a key-----\nabc\ndef\ng\n-----END a key-----\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_between_the_lines_is_taken),
        cmocka_unit_test(a_missing_line_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(lines_are_cut_at_their_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
