#include "gateway/openvpn/config/config_file.h"
#include "tests/unit.h"

/* Cuts an exact copy; the words joined by '|', or "!" and what is wrong. */
static const char *cut(const char *line, size_t size)
{
    static char joined[CONFIG_LINE_MAX + 2 * CONFIG_TOKENS_MAX];
    struct config_tokens t;
    uint8_t *copy = exact_copy(line, size);
    const char *problem = config_file_cut(bytes_of(copy, size), &t);
    free(copy);
    size_t used = 0;
    if (problem) {
        joined[used++] = '!';
        memcpy(joined + used, problem, strlen(problem) + 1);
        return joined;
    }
    for (size_t i = 0; i < t.count; i++) {
        size_t n = strlen(t.token[i]);
        if (i)
            joined[used++] = '|';
        memcpy(joined + used, t.token[i], n);
        used += n;
    }
    joined[used] = '\0';
    return joined;
}

#define CUT(text) cut(text, sizeof text - 1)

static void words_are_cut_like_openvpn_cuts_them(void **state)
{
    (void)state;
    assert_string_equal(CUT(""), "");
    assert_string_equal(CUT(" \t\r"), "");
    assert_string_equal(CUT("remote a 1194"), "remote|a|1194");
    assert_string_equal(CUT("  remote\ta \r"), "remote|a");
    assert_string_equal(CUT("a # b"), "a");
    assert_string_equal(CUT("a ;b"), "a");
    assert_string_equal(CUT("#a"), "");
    assert_string_equal(CUT("a#b c;d"), "a#b|c;d");
    assert_string_equal(CUT("a \"b c\" d"), "a|b c|d");
    assert_string_equal(CUT("a 'b \"c\\' d"), "a|b \"c\\|d");
    assert_string_equal(CUT("a \"b\\\"c\\\\\""), "a|b\"c\\");
    assert_string_equal(CUT("a b\\ c"), "a|b c");
    assert_string_equal(CUT("a \"\" ''"), "a||");
    assert_string_equal(CUT("\"a\"b"), "a|b");
    assert_string_equal(CUT("a it's"), "a|it's");
    assert_string_equal(CUT("a \"#b\""), "a|#b");
}

static void what_cannot_be_cut_says_why(void **state)
{
    (void)state;
    assert_non_null(strstr(CUT("a \"b"), "!a quote"));
    assert_non_null(strstr(CUT("a 'b"), "!a quote"));
    assert_non_null(strstr(CUT("a C:\\x"), "!a backslash"));
    assert_non_null(strstr(CUT("a \"C:\\x\""), "!a backslash"));
    assert_non_null(strstr(CUT("a \\"), "!a backslash"));
    assert_non_null(strstr(CUT("a\0b"), "!a zero byte"));
    assert_string_equal(CUT("1 2 3 4 5 6 7 8 9 a b c d e f g h"),
                        "1|2|3|4|5|6|7|8|9|a|b|c|d|e|f|g|h");
    assert_non_null(
        strstr(CUT("1 2 3 4 5 6 7 8 9 a b c d e f g h i"), "!more words"));
    /* A comment is no word. */
    assert_string_equal(CUT("1 2 3 4 5 6 7 8 9 a b c d e f g h # i"),
                        "1|2|3|4|5|6|7|8|9|a|b|c|d|e|f|g|h");
}

static void a_line_may_be_long_but_not_too_long(void **state)
{
    (void)state;
    static char line[CONFIG_LINE_MAX + 100];
    memset(line, 'x', sizeof line);
    assert_int_equal(strlen(cut(line, CONFIG_LINE_MAX)), CONFIG_LINE_MAX);
    assert_non_null(strstr(cut(line, CONFIG_LINE_MAX + 1), "!the line"));
    /* Many words, the last of which fills the memory. */
    for (size_t i = 1; i < 32; i += 2)
        line[i] = ' ';
    assert_int_equal(strlen(cut(line, CONFIG_LINE_MAX + 16)),
                     CONFIG_LINE_MAX + 16);
    assert_non_null(strstr(cut(line, CONFIG_LINE_MAX + 17), "!the line"));
}

static void lines_are_counted(void **state)
{
    (void)state;
    struct config_file f;
    struct bytes line;
    config_file_init(&f, bytes_of_text("\xef\xbb\xbf"
                                       "a\r\n\nb"));
    assert_true(config_file_line(&f, &line));
    assert_bytes_equal(line, bytes_of_text("a\r"));
    assert_int_equal(f.line, 1);
    assert_true(config_file_line(&f, &line));
    assert_int_equal(line.size, 0);
    assert_true(config_file_line(&f, &line));
    assert_bytes_equal(line, bytes_of_text("b"));
    assert_int_equal(f.line, 3);
    assert_false(config_file_line(&f, &line));

    config_file_init(&f, bytes_of(NULL, 0));
    assert_false(config_file_line(&f, &line));
    config_file_init(&f, bytes_of_text("\xef\xbb\xbf"));
    assert_false(config_file_line(&f, &line));
}

static void a_block_ends_at_its_tag_wherever_that_stands(void **state)
{
    (void)state;
    struct config_file f;
    struct bytes content, line;
    config_file_init(&f, bytes_of_text("x\n</cert>\ny\n \t</ca> # end\r\nz"));
    assert_true(config_file_block(&f, "ca", &content));
    assert_bytes_equal(content, bytes_of_text("x\n</cert>\ny\n"));
    assert_int_equal(f.line, 4);
    assert_true(config_file_line(&f, &line));
    assert_bytes_equal(line, bytes_of_text("z"));

    config_file_init(&f, bytes_of_text("</ca>"));
    assert_true(config_file_block(&f, "ca", &content));
    assert_int_equal(content.size, 0);

    config_file_init(&f, bytes_of_text("x\n/ca>\n< /ca>\n</ca"));
    assert_false(config_file_block(&f, "ca", &content));
    config_file_init(&f, bytes_of_text("x"));
    assert_false(config_file_block(
        &f, "a_tag_that_is_much_longer_than_the_name_of_any_option_there_is",
        &content));
}

static void skipping_stays_where_nothing_is_found(void **state)
{
    (void)state;
    struct config_file f;
    struct bytes line;
    config_file_init(&f, bytes_of_text("a\n -----END X-----\nb\n"));
    assert_false(config_file_skip_past(&f, "-----BEGIN "));
    assert_int_equal(f.line, 0);
    assert_true(config_file_skip_past(&f, "-----END "));
    assert_int_equal(f.line, 2);
    assert_true(config_file_line(&f, &line));
    assert_bytes_equal(line, bytes_of_text("b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_cut_like_openvpn_cuts_them),
        cmocka_unit_test(what_cannot_be_cut_says_why),
        cmocka_unit_test(a_line_may_be_long_but_not_too_long),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(a_block_ends_at_its_tag_wherever_that_stands),
        cmocka_unit_test(skipping_stays_where_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
