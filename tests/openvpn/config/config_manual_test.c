/* The manual page of profiles has every option that does something, and no
 * other. */
#include <stdio.h>

#include "gateway/openvpn/config/config_options.h"
#include "tests/unit.h"

enum { PAGE_SIZE = 64 * 1024 };

static char page[PAGE_SIZE];

static int read_page(void **state)
{
    (void)state;
    FILE *file = fopen("rpm/vpn-gateway-profile.5", "re");
    if (!file)
        return -1;
    size_t size = fread(page, 1, sizeof page - 1, file);
    page[size] = '\0';
    return fclose(file);
}

/* As a word of a line `.It Ic name , name Ar argument`. */
static bool is_documented(const char *name)
{
    size_t size = strlen(name);
    for (const char *at = page; (at = strstr(at, name)); at += size) {
        const char *line = at;
        while (line > page && line[-1] != '\n')
            line--;
        if (strncmp(line, ".It Ic ", 7) == 0 && at[-1] == ' ' &&
            (at[size] == ' ' || at[size] == '\n'))
            return true;
    }
    return false;
}

static void every_option_that_does_something_is_described(void **state)
{
    size_t count, missing = 0;
    const struct config_option *table = config_options_table(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        /* The others take any number of arguments, and ignore them. */
        if (table[i].most == CONFIG_TOKENS_MAX || is_documented(table[i].name))
            continue;
        print_message("# %s\n", table[i].name);
        missing++;
    }
    assert_int_equal(missing, 0);
}

/* The next word of a line `.It Ic name , name Ar argument`; NULL behind the
 * names. */
static char *next_name(char **rest)
{
    char *word;
    do {
        word = strtok_r(NULL, " ", rest);
    } while (word && strcmp(word, ",") == 0);
    return word && strcmp(word, "Ar") != 0 && strcmp(word, "Op") != 0 &&
                   strcmp(word, "Cm") != 0
               ? word
               : NULL;
}

static bool does_something(const char *name)
{
    const struct config_option *option = config_options_find(name);
    return option && option->most != CONFIG_TOKENS_MAX;
}

static void every_option_that_is_described_does_something(void **state)
{
    static char copy[PAGE_SIZE];
    size_t described = 0, wrong = 0;
    char *lines = copy, *line;
    (void)state;
    memcpy(copy, page, sizeof copy);
    while ((line = strsep(&lines, "\n"))) {
        char *rest = line;
        if (strncmp(line, ".It Ic ", 7) != 0)
            continue;
        (void)strtok_r(line, " ", &rest); /* .It, and then Ic */
        (void)next_name(&rest);
        for (char *name; (name = next_name(&rest)); described++) {
            if (does_something(name) || strcmp(name, "<connection>") == 0)
                continue;
            print_message("# %s\n", name);
            wrong++;
        }
    }
    assert_true(described > 50);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_that_does_something_is_described),
        cmocka_unit_test(every_option_that_is_described_does_something),
    };
    return cmocka_run_group_tests_name("config_manual", tests, read_page, NULL);
}
