#include "gateway/openvpn/keys/static_key.h"

#include <ctype.h>
#include <stdio.h>

#include "tests/unit.h"
#include "tests/vectors/openvpn_control.h"

static struct static_key parsed(const char *text)
{
    struct static_key key;
    assert_true(static_key_parse(bytes_of_text(text), &key));
    return key;
}

static void a_key_file_is_read(void **state)
{
    (void)state;
    struct static_key key = parsed(vector_static_key);
    assert_int_equal(key.bytes[0], 0x37);
    assert_int_equal(key.bytes[1], 0x26);
    assert_int_equal(key.bytes[255], 0xe6);
    /* First bytes of lines 1, 5, 9 and 13. */
    assert_int_equal(static_key_slice(&key, 0)[0], 0x37);
    assert_int_equal(static_key_slice(&key, 1)[0], 0xde);
    assert_int_equal(static_key_slice(&key, 2)[0], 0xa0);
    assert_int_equal(static_key_slice(&key, 3)[0], 0xbb);
}

static void writing_and_reading_gives_the_same_key(void **state)
{
    (void)state;
    struct static_key key;
    uint32_t seed = 7;
    char text[STATIC_KEY_TEXT_SIZE];
    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = (uint8_t)next_random(&seed);
    assert_true(static_key_format(&key, text, sizeof text));
    struct static_key again = parsed(text);
    assert_memory_equal(&again, &key, sizeof key);
}

static void a_written_key_looks_like_openvpns(void **state)
{
    (void)state;
    struct static_key key = parsed(vector_static_key);
    char text[STATIC_KEY_TEXT_SIZE], expected[STATIC_KEY_TEXT_SIZE];
    assert_true(static_key_format(&key, text, sizeof text));

    const char *begin = strstr(vector_static_key, "-----BEGIN");
    const char *end = strstr(vector_static_key, "</tls-auth>");
    assert_non_null(begin);
    assert_non_null(end);
    snprintf(expected, sizeof expected,
             "#\n# 2048 bit OpenVPN static key\n#\n"
             "%.*s",
             (int)(end - begin), begin);
    assert_string_equal(text, expected);
}

static void a_text_that_does_not_fit_is_not_written(void **state)
{
    (void)state;
    struct static_key key = parsed(vector_static_key);
    char whole[STATIC_KEY_TEXT_SIZE];
    assert_true(static_key_format(&key, whole, sizeof whole));
    size_t needed = strlen(whole) + 1;
    for (size_t size = 0; size <= needed; size++) {
        char *memory = malloc(size ? size : 1);
        assert_non_null(memory);
        assert_int_equal(static_key_format(&key, memory, size), size == needed);
        free(memory);
    }
}

static void white_space_and_letter_case_do_not_matter(void **state)
{
    (void)state;
    struct static_key key = parsed(vector_static_key);
    struct bytes all = bytes_of_text(vector_static_key);
    const char *body = strstr(vector_static_key, "V1-----") + 7;
    const char *end = strstr(vector_static_key, "-----END");
    char text[4096];
    size_t n = 0;
    for (const char *p = (const char *)all.data; p < body; p++)
        text[n++] = *p;
    for (const char *p = body; p < end; p++) {
        if (*p == '\n')
            continue;
        text[n++] = (char)toupper((unsigned char)*p);
        text[n] = " \t\r\n\v\f"[n % 6];
        n++;
    }
    strcpy(text + n, end);
    struct static_key again = parsed(text);
    assert_memory_equal(&again, &key, sizeof key);
}

/* Only what is complete up to END is a key. */
static void every_truncation_is_refused(void **state)
{
    (void)state;
    size_t whole =
        (size_t)(strstr(vector_static_key, "</tls-auth>") - vector_static_key) -
        1;
    for (size_t size = 0; size <= whole; size++) {
        uint8_t *copy = exact_copy(vector_static_key, size);
        struct static_key key;
        memset(&key, 0xa5, sizeof key);
        bool ok = static_key_parse(bytes_of(copy, size), &key);
        assert_int_equal(ok, size == whole);
        if (!ok)
            assert_int_equal(key.bytes[0], 0xa5);
        free(copy);
    }
}

static void a_wrong_digit_or_count_is_refused(void **state)
{
    (void)state;
    char text[2048];
    struct static_key key;
    size_t first =
        (size_t)(strstr(vector_static_key, "\n37268") + 1 - vector_static_key);

    strcpy(text, vector_static_key);
    text[first] = 'g';
    assert_false(static_key_parse(bytes_of_text(text), &key));

    /* A digit less, and one more. */
    text[first] = ' ';
    assert_false(static_key_parse(bytes_of_text(text), &key));
    strcpy(text, vector_static_key);
    memmove(text + first + 1, text + first, strlen(text + first) + 1);
    assert_false(static_key_parse(bytes_of_text(text), &key));

    /* Half a key, as very old versions had it. */
    const char *half = strstr(vector_static_key, "a0c1c489");
    const char *end = strstr(vector_static_key, "-----END");
    snprintf(text, sizeof text, "%.*s%s", (int)(half - vector_static_key),
             vector_static_key, end);
    assert_false(static_key_parse(bytes_of_text(text), &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_is_read),
        cmocka_unit_test(writing_and_reading_gives_the_same_key),
        cmocka_unit_test(a_written_key_looks_like_openvpns),
        cmocka_unit_test(a_text_that_does_not_fit_is_not_written),
        cmocka_unit_test(white_space_and_letter_case_do_not_matter),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_wrong_digit_or_count_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
