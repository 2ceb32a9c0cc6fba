/* The rows of tests/vectors/miragevpn.txt: each option and each push does what
 * the row says, and each test that a row names is there. */
#include <stdio.h>

#include "gateway/openvpn/push/push_options.h"
#include "tests/crypto/vectors.h"
#include "tests/openvpn/config/config_trial.h"
#include "tests/unit.h"

#define ROWS "tests/vectors/miragevpn.txt"

enum {
    FIRST_LINE = 4,
    /* of what config_trial_with() puts in */ FILE_MAX = 1 << 18
};

static void check_option(const char *line, const char *here)
{
    struct config_trial t = {0};
    config_trial_with(&t, line);
    bool refused = config_trial_said(&t, CONFIG_ERROR, FIRST_LINE, "refused");
    bool good = false;
    if (!strcmp(here, "works"))
        good = t.usable && !t.errors && !t.warnings;
    else if (!strcmp(here, "passed over"))
        good = t.usable && !t.errors;
    else if (!strcmp(here, "refused"))
        good = !t.usable && refused;
    if (!good) {
        config_trial_print(&t);
        fail_msg("`%s' does not do what its row says: %s", line, here);
    }
    config_trial_clear(&t);
}

static void every_option_does_what_its_row_says(void **state)
{
    (void)state;
    struct vectors v;
    int count = 0;
    vectors_open(&v, ROWS);
    while (vectors_next(&v)) {
        const char *line = vectors_text(&v, "option");
        if (!line)
            continue;
        check_option(line, vectors_text(&v, "here"));
        count++;
    }
    vectors_close(&v);
    assert_true(count >= 70);
}

static void check_push(const char *options)
{
    struct config config;
    struct push_options o;
    const char *why = "";
    char message[512];
    config_init(&config);
    config.pull = true;
    snprintf(message, sizeof message,
             "PUSH_REPLY,ifconfig 10.8.0.2 255.255.255.0,topology subnet,%s",
             options);
    push_options_init(&o, &config, NULL, NULL);
    if (!push_options_add(&o, bytes_of_text(message), &config, NULL, NULL) ||
        o.rejected || !push_options_finish(&o, &why))
        fail_msg("`%s' makes no tunnel: %s", options, why);
    push_options_clear(&o);
}

static void every_push_makes_a_tunnel(void **state)
{
    (void)state;
    struct vectors v;
    int count = 0;
    vectors_open(&v, ROWS);
    while (vectors_next(&v)) {
        const char *options = vectors_text(&v, "push");
        if (!options)
            continue;
        check_push(options);
        count++;
    }
    vectors_close(&v);
    assert_true(count >= 20);
}

/* "FILE TEXT": the file is there, and holds the text. */
static void check_test(const char *row, const char *named)
{
    static char content[FILE_MAX];
    char path[128];
    size_t size = strcspn(named, " ");
    assert_true(size < sizeof path && named[size] == ' ');
    snprintf(path, sizeof path, "%.*s", (int)size, named);
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s: there is no %s", row, path);
    size_t read = fread(content, 1, sizeof content - 1, file);
    fclose(file);
    content[read] = '\0';
    if (!strstr(content, named + size + 1))
        fail_msg("%s: %s holds no `%s'", row, path, named + size + 1);
}

static void every_row_names_a_test_that_is_there(void **state)
{
    (void)state;
    struct vectors v;
    int count = 0;
    vectors_open(&v, ROWS);
    while (vectors_next(&v)) {
        const char *row = vectors_text(&v, "row");
        if (!row)
            continue;
        assert_non_null(vectors_text(&v, "test"));
        check_test(row, vectors_text(&v, "test"));
        if (vectors_text(&v, "also"))
            check_test(row, vectors_text(&v, "also"));
        count++;
    }
    vectors_close(&v);
    assert_true(count >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_does_what_its_row_says),
        cmocka_unit_test(every_push_makes_a_tunnel),
        cmocka_unit_test(every_row_names_a_test_that_is_there),
    };
    return cmocka_run_group_tests_name("miragevpn", tests, NULL, NULL);
}
