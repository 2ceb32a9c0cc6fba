#include "gateway/base/log.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit.h"

struct seen {
    unsigned lines;
    enum log_level level;
    char text[2048];
};

static void remember(void *context, enum log_level level, const char *line)
{
    struct seen *seen = context;
    seen->lines++;
    seen->level = level;
    snprintf(seen->text, sizeof seen->text, "%s", line);
}

static int restore(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL);
    log_set_level(LOG_INFO);
    return 0;
}

static void a_line_reaches_the_sink_whole(void **state)
{
    (void)state;
    struct seen seen = {0};
    log_set_sink(remember, &seen);
    log_warn("link: %s has %d", "tap0", 3);
    assert_int_equal(seen.lines, 1);
    assert_int_equal(seen.level, LOG_WARN);
    assert_string_equal(seen.text, "link: tap0 has 3");
}

static void a_line_is_one_line_whatever_is_in_it(void **state)
{
    (void)state;
    struct seen seen = {0};
    log_set_sink(remember, &seen);
    log_warn("openvpn: %s", "a\n<3>b\r\033[2J\177\303\266");
    assert_int_equal(seen.lines, 1);
    assert_string_equal(seen.text, "openvpn: a?<3>b??[2J?\303\266");
}

static void lines_above_the_level_are_not_made(void **state)
{
    (void)state;
    for (enum log_level level = LOG_ERROR; level < LOG_LEVEL_COUNT; level++) {
        struct seen seen = {0};
        log_set_sink(remember, &seen);
        log_set_level(level);
        assert_int_equal(log_get_level(), level);
        log_error("a");
        log_warn("b");
        log_info("c");
        log_debug("d");
        assert_int_equal(seen.lines, level + 1);
    }
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    struct seen seen = {0};
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_set_sink(remember, &seen);
    log_info("%s", text);
    assert_int_equal(strlen(seen.text), 1023);
    assert_memory_equal(seen.text, text, 1023);
}

/* Reads what a child writes to standard error, which is a pipe. */
static void written(const char *journal, char *out, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);

    if (journal && !strcmp(journal, "this")) {
        struct stat status;
        char name[64];
        fstat(STDERR_FILENO, &status);
        snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev,
                 (uintmax_t)status.st_ino);
        setenv("JOURNAL_STREAM", name, 1);
    } else if (journal) {
        setenv("JOURNAL_STREAM", journal, 1);
    } else {
        unsetenv("JOURNAL_STREAM");
    }
    log_set_sink(NULL, NULL);
    log_error("one");
    log_info("two");
    fflush(stderr);

    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], out, size - 1);
    close(ends[0]);
    assert_true(n >= 0);
    out[n] = '\0';
    unsetenv("JOURNAL_STREAM");
}

static void a_pipe_gets_plain_lines(void **state)
{
    (void)state;
    char text[256];
    written(NULL, text, sizeof text);
    assert_string_equal(text, "one\ntwo\n");
}

static void only_the_journal_gets_levels(void **state)
{
    (void)state;
    char text[256];
    written("this", text, sizeof text);
    assert_string_equal(text, "<3>one\n<6>two\n");
    /* systemd's name for a stream that standard error no longer is. */
    written("8:12345", text, sizeof text);
    assert_string_equal(text, "one\ntwo\n");
}

static void a_peers_bytes_are_made_printable(void **state)
{
    (void)state;
    char out[LOG_QUOTE_SIZE];
    assert_string_equal(log_quote(out, bytes_of("a\n\033[31m\0\x7f\xc3~ ", 12)),
                        "a??[31m???~ ");
    assert_string_equal(log_quote(out, bytes_of(NULL, 0)), "");
}

static void a_peers_long_text_ends_in_dots(void **state)
{
    (void)state;
    char text[2 * LOG_QUOTE_SIZE], out[LOG_QUOTE_SIZE];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size < sizeof text; size++) {
        uint8_t *copy = exact_copy(text, size);
        assert_ptr_equal(log_quote(out, bytes_of(copy, size)), out);
        if (size < LOG_QUOTE_SIZE) {
            assert_int_equal(strlen(out), size);
            assert_null(strchr(out, '.'));
        } else {
            assert_int_equal(strlen(out), LOG_QUOTE_SIZE - 1);
            assert_string_equal(out + LOG_QUOTE_SIZE - 5, "x...");
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_reaches_the_sink_whole, restore),
        cmocka_unit_test_teardown(a_line_is_one_line_whatever_is_in_it,
                                  restore),
        cmocka_unit_test_teardown(lines_above_the_level_are_not_made, restore),
        cmocka_unit_test_teardown(a_long_line_is_cut, restore),
        cmocka_unit_test_teardown(a_pipe_gets_plain_lines, restore),
        cmocka_unit_test_teardown(only_the_journal_gets_levels, restore),
        cmocka_unit_test(a_peers_bytes_are_made_printable),
        cmocka_unit_test(a_peers_long_text_ends_in_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
