/* Servers' configurations in the shapes that people have them, see
 * tests/vectors/servers: which start, and with which words others are refused;
 * and that no directive is without a meaning for a server. */
#include <dirent.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/server_config/server_config_options.h"
#include "gateway/openvpn/server_config/server_config_parser.h"
#include "tests/unit.h"
#include "tests/vectors/openvpn_control.h"
#include "tests/vectors/openvpn_tls_crypt.h"
#include "tests/vectors/pki.h"

#define FOLDER "tests/vectors/servers"

enum { FILE_SIZE = 16 * 1024, EXPECTED_MAX = 8, REPORTS_SIZE = 8192 };

struct trial {
    struct server_config config;
    unsigned errors;
    char warnings[REPORTS_SIZE], problems[REPORTS_SIZE];
};

static void note(void *context, enum config_severity severity, unsigned line,
                 const char *text)
{
    struct trial *t = context;
    bool is_error = severity == CONFIG_ERROR;
    char *out = is_error ? t->problems : t->warnings;
    size_t used = strlen(out);
    (void)line;
    t->errors += is_error;
    snprintf(out + used, REPORTS_SIZE - used, "%s\n", text);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* By its name alone, wherever it is said to lie. */
static const char *content_of(const char *path)
{
    static const struct {
        const char *name, *content;
    } files[] = {
        {"ca.crt", pki_ca},
        {"server.crt", pki_server_crt},
        {"server.key", pki_server_key},
        {"crl.pem", pki_crl},
        {"v2.key", vector_v2_server_key},
        {"ta.key", vector_static_key},
        {"tc.key", vector_static_key},
        {"tls-crypt.key", vector_static_key},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (ends_with(path, files[i].name))
            return files[i].content;
    return NULL;
}

static const char *read_file(void *context,
                             const struct config_reference *reference,
                             struct blob *out)
{
    (void)context;
    const char *content = content_of(reference->path);
    if (!content)
        return "there is no such file";
    return blob_set(out, bytes_of_text(content)) ? NULL : "no memory";
}

/* With what `@FILE` stands for. */
static char *read_whole(const char *name)
{
    char path[256], line[512], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, FOLDER "/%s", name);
    FILE *in = fopen(path, "re"), *out = open_memstream(&text, &size);
    assert_non_null(in);
    assert_non_null(out);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = 0;
        const char *content = line[0] == '@' ? content_of(line + 1) : NULL;
        fprintf(out, "%s\n", content ? content : line);
    }
    fclose(in);
    fclose(out);
    return text;
}

static void expect(const char *file, const char *line, const struct trial *t)
{
    unsigned errors;
    if (strcmp(line, "# starts") == 0) {
        if (t->errors)
            fail_msg("%s does not start: %s", file, t->problems);
    } else if (strncmp(line, "# refused: ", 11) == 0) {
        if (!strstr(t->problems, line + 11))
            fail_msg("%s is not refused with `%s' but: %s", file, line + 11,
                     t->problems);
    } else if (strncmp(line, "# warns: ", 9) == 0) {
        if (!strstr(t->warnings, line + 9))
            fail_msg("%s does not warn `%s' but: %s", file, line + 9,
                     t->warnings);
    } else if (sscanf(line, "# errors: %u", &errors) == 1) {
        if (t->errors != errors)
            fail_msg("%s: %u errors: %s", file, t->errors, t->problems);
    }
}

static bool is_one(const char *name)
{
    return ends_with(name, ".conf");
}

static void try(const char *name)
{
    struct trial t = {0};
    const struct config_parser_env env = {
        .report = note, .read_file = read_file, .context = &t};
    char *text = read_whole(name), *rest = text, *line;
    bool usable =
        server_config_parse(bytes_of_text(text), name, &env, &t.config);
    assert_int_equal(usable, t.errors == 0);
    if (strncmp(text, "# starts", 8) && strncmp(text, "# refused", 9))
        fail_msg("%s does not begin with what is expected of it", name);
    while ((line = strsep(&rest, "\n")))
        expect(name, line, &t);
    server_config_clear(&t.config);
    free(text);
}

static void each_starts_or_is_refused_in_words(void **state)
{
    DIR *folder = opendir(FOLDER);
    const struct dirent *entry;
    unsigned count = 0;
    (void)state;
    assert_non_null(folder);
    while ((entry = readdir(folder)))
        if (is_one(entry->d_name)) {
            try(entry->d_name);
            count++;
        }
    closedir(folder);
    assert_in_range(count, 50, 1000);
}

/* A new one of a profile's has to be given a meaning here as well. */
static void every_directive_means_something_to_a_server(void **state)
{
    size_t count, missing = 0;
    const struct config_option *table = config_options_table(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (server_config_options_find(table[i].name))
            continue;
        print_message("# %s\n", table[i].name);
        missing++;
    }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_starts_or_is_refused_in_words),
        cmocka_unit_test(every_directive_means_something_to_a_server),
    };
    return cmocka_run_group_tests_name("server_corpus", tests, NULL, NULL);
}
