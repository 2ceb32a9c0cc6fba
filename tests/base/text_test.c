#include "gateway/base/text.h"

#include "tests/unit.h"

static void assert_text(struct bytes text, const char *expected)
{
    assert_bytes_equal(text, bytes_of_text(expected));
}

static void a_copy_ends_in_nul_or_is_not_made(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 8; room++) {
        char *out = malloc(room ? room : 1);
        assert_non_null(out);
        bool ok = text_copy(out, room, bytes_of_text("seven.."));
        assert_int_equal(ok, room == 8);
        if (ok)
            assert_string_equal(out, "seven..");
        free(out);
    }
    char out[8] = "x";
    assert_false(text_copy(out, sizeof out, bytes_of("a\0b", 3)));
    assert_true(text_copy(out, sizeof out, bytes_of(NULL, 0)));
    assert_string_equal(out, "");
}

static void numbers_are_decimal_digits_up_to_the_most(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t most;
        bool ok;
        uint32_t value;
    } cases[] = {
        {"0", 0, true, 0},
        {"1", 0, false, 0},
        {"65535", 65535, true, 65535},
        {"65536", 65535, false, 0},
        {"007", 7, true, 7},
        {"4294967295", UINT32_MAX, true, UINT32_MAX},
        {"4294967296", UINT32_MAX, false, 0},
        {"9999999999", UINT32_MAX, false, 0},
        {"00000000001", UINT32_MAX, false, 0},
        {"18446744073709551617", UINT32_MAX, false, 0},
        {"", 9, false, 0},
        {"-1", 9, false, 0},
        {"+1", 9, false, 0},
        {" 1", 9, false, 0},
        {"1 ", 9, false, 0},
        {"0x1", 9, false, 0},
        {"1a", 99, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t value = 4711;
        assert_int_equal(
            text_to_u32(bytes_of_text(cases[i].text), cases[i].most, &value),
            cases[i].ok);
        assert_int_equal(value, cases[i].ok ? cases[i].value : 4711);
    }
}

static void words_are_compared_whole(void **state)
{
    (void)state;
    assert_true(text_equal(bytes_of_text("udp"), "udp"));
    assert_false(text_equal(bytes_of_text("udp"), "UDP"));
    assert_false(text_equal(bytes_of_text("udp"), "udp4"));
    assert_false(text_equal(bytes_of("udp\0", 4), "udp"));
    assert_true(text_equal(bytes_of(NULL, 0), ""));

    assert_true(text_equal_ignoring_case(bytes_of_text("uDp"), "UdP"));
    assert_false(text_equal_ignoring_case(bytes_of_text("udp"), "tcp"));
    assert_false(text_equal_ignoring_case(bytes_of_text("udp4"), "udp"));
    assert_false(text_equal_ignoring_case(bytes_of("ud\0", 3), "udp"));
    assert_true(text_equal_ignoring_case(bytes_of(NULL, 0), ""));

    assert_true(text_starts_with(bytes_of_text("udp4"), "udp"));
    assert_true(text_starts_with(bytes_of_text("udp"), "udp"));
    assert_true(text_starts_with(bytes_of(NULL, 0), ""));
    assert_false(text_starts_with(bytes_of_text("ud"), "udp"));
    assert_false(text_starts_with(bytes_of_text("xudp"), "udp"));
    assert_true(text_starts_ignoring_case(bytes_of_text("UdP4"), "uDp"));
    assert_true(text_starts_ignoring_case(bytes_of(NULL, 0), ""));
    assert_false(text_starts_ignoring_case(bytes_of_text("UD"), "udp"));
    assert_false(text_starts_ignoring_case(bytes_of_text("UDX"), "udp"));
}

static void text_is_cut_at_each_separator(void **state)
{
    (void)state;
    static const char *const expected[] = {"a", "", "bc", ""};
    struct bytes rest = bytes_of_text("a,,bc,"), part;
    for (size_t i = 0; i < 4; i++) {
        assert_true(text_cut(&rest, ',', &part));
        assert_text(part, expected[i]);
    }
    assert_false(text_cut(&rest, ',', &part));
    assert_false(text_cut(&rest, ',', &part));

    rest = bytes_of_text("");
    assert_true(text_cut(&rest, ',', &part));
    assert_int_equal(part.size, 0);
    assert_false(text_cut(&rest, ',', &part));

    rest = bytes_of(NULL, 0);
    assert_false(text_cut(&rest, ',', &part));
}

static void blanks_are_trimmed_at_both_ends(void **state)
{
    (void)state;
    assert_text(text_trim(bytes_of_text(" \t\r\na b\n\t ")), "a b");
    assert_text(text_trim(bytes_of_text("a")), "a");
    assert_text(text_trim(bytes_of_text(" \n\r\t ")), "");
    assert_int_equal(text_trim(bytes_of(NULL, 0)).size, 0);
    assert_text(text_trim(bytes_of_text("\va\f")), "\va\f");
}

/* RFC 4648, section 10. */
static void base64_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char text[16];
        uint8_t data[16];
        size_t size;
        assert_true(
            text_to_base64(bytes_of_text(vectors[i][0]), text, sizeof text));
        assert_string_equal(text, vectors[i][1]);
        assert_true(text_from_base64(bytes_of_text(vectors[i][1]), data,
                                     sizeof data, &size));
        assert_text(bytes_of(data, size), vectors[i][0]);
    }
}

static void base64_of_all_bytes_makes_the_round_trip(void **state)
{
    (void)state;
    uint8_t data[256], back[256];
    char text[345];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + 13);
    for (size_t size = 0; size <= sizeof data; size++) {
        size_t back_size, needed = (size + 2) / 3 * 4 + 1;
        char *exact = malloc(needed);
        uint8_t *room = malloc(size ? size : 1);
        assert_non_null(exact);
        assert_non_null(room);
        assert_true(text_to_base64(bytes_of(data, size), exact, needed));
        assert_false(text_to_base64(bytes_of(data, size), text, needed - 1));
        struct bytes digits = bytes_of_text(exact);
        assert_true(text_from_base64(digits, room, size, &back_size));
        assert_bytes_equal(bytes_of(room, back_size), bytes_of(data, size));
        if (size)
            assert_false(text_from_base64(digits, back, size - 1, &back_size));
        free(exact);
        free(room);
    }
}

static void bad_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",   "Zg===",    "=",      "==",
        "====", "Z===", "=Zg=",  "Zg==Zg==", "Zm9v\n", "Zm 9",
        "Zm9-", "Zm9_", "Zm\0v", "Zm9v====", "Zg=A",   "Zm9vZ===",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t data[16];
        size_t size;
        assert_false(
            text_from_base64(bytes_of_text(bad[i]), data, sizeof data, &size));
    }
    uint8_t data[3];
    size_t size;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[4] = {'A', 'A', 'A', (uint8_t)c};
        bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
        assert_int_equal(
            text_from_base64(bytes_of(text, 4), data, sizeof data, &size),
            good);
    }
}

static void hexadecimal_is_two_digits_a_byte(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x00, 0xff, 0xAb, 0x9c};
    uint8_t data[4];
    size_t size;
    assert_true(text_from_hex(bytes_of_text("00ffAb9C"), data, 4, &size));
    assert_bytes_equal(bytes_of(data, size), bytes_of(expected, 4));
    assert_true(text_from_hex(bytes_of_text(""), data, 0, &size));
    assert_int_equal(size, 0);
    assert_false(text_from_hex(bytes_of_text("00ffAb9C"), data, 3, &size));
    assert_false(text_from_hex(bytes_of_text("0"), data, 4, &size));
    assert_false(text_from_hex(bytes_of_text("0x00"), data, 4, &size));
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[2] = {(uint8_t)c, '0'}, turned[2] = {'0', (uint8_t)c};
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
                    (c >= 'A' && c <= 'F');
        assert_int_equal(text_from_hex(bytes_of(text, 2), data, 4, &size),
                         good);
        assert_int_equal(text_from_hex(bytes_of(turned, 2), data, 4, &size),
                         good);
    }
}

static void what_is_written_is_whole_or_not_at_all(void **state)
{
    (void)state;
    char memory[2 * TEXT_WRITE_MAX], longest[TEXT_WRITE_MAX + 2];
    struct writer w = writer_of(memory, 7);
    text_write(&w, "%u,%s", 12u, "abcd"); /* no room for a NUL is needed */
    assert_true(writer_ok(&w));
    assert_memory_equal(memory, "12,abcd", 7);
    text_write(&w, "%s", "");
    assert_true(writer_ok(&w));
    text_write(&w, "%s", "e");
    assert_false(writer_ok(&w));
    assert_int_equal(w.size, 7);

    memset(longest, 'x', sizeof longest);
    longest[TEXT_WRITE_MAX] = '\0';
    w = writer_of(memory, sizeof memory);
    text_write(&w, "%s", longest);
    assert_true(writer_ok(&w) && w.size == TEXT_WRITE_MAX);
    longest[TEXT_WRITE_MAX] = 'x';
    longest[TEXT_WRITE_MAX + 1] = '\0';
    text_write(&w, "%s", longest);
    assert_false(writer_ok(&w));
    assert_int_equal(w.size, TEXT_WRITE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_ends_in_nul_or_is_not_made),
        cmocka_unit_test(numbers_are_decimal_digits_up_to_the_most),
        cmocka_unit_test(words_are_compared_whole),
        cmocka_unit_test(text_is_cut_at_each_separator),
        cmocka_unit_test(blanks_are_trimmed_at_both_ends),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(base64_of_all_bytes_makes_the_round_trip),
        cmocka_unit_test(bad_base64_is_refused),
        cmocka_unit_test(hexadecimal_is_two_digits_a_byte),
        cmocka_unit_test(what_is_written_is_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
