#include "gateway/command/check.h"

#include "tests/unit.h"

#include <dirent.h>
#include <stdio.h>

#define PROFILES "tests/vectors/profiles/"
#define BROKEN   PROFILES "broken/"
#define ODD      PROFILES "odd/"

enum { PATH_SIZE = 256, LINE_SIZE = 512 };

/* Returns what check_run() writes; the caller frees *text. */
static int run(const char *file, char **text)
{
    size_t size;
    FILE *out = open_memstream(text, &size);
    assert_non_null(out);
    int code = check_run(file, out);
    fclose(out);
    return code;
}

static bool is_profile(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && !strcmp(end, ".ovpn");
}

static size_t count_profiles(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    for (struct dirent *e; (e = readdir(directory));)
        count += is_profile(e->d_name);
    closedir(directory);
    return count;
}

/* The start of a line in `text`, or NULL. */
static const char *find_line(const char *text, const char *start,
                             const char *part)
{
    size_t n = strlen(start);
    for (const char *line = text; line && *line;
         line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        const char *end = strchr(line, '\n');
        const char *found = strstr(line, part);
        if (!strncmp(line, start, n) && found && (!end || found < end))
            return line;
    }
    return NULL;
}

/* Every row of FOLDER/expected.txt: that exit code, and a line of a report
 * that says it. */
static void check_folder(const char *folder, int wanted, const char *severity)
{
    char path[PATH_SIZE], row[LINE_SIZE];
    snprintf(path, sizeof path, "%sexpected.txt", folder);
    FILE *expected = fopen(path, "r");
    assert_non_null(expected);
    size_t rows = 0;
    while (fgets(row, sizeof row, expected)) {
        char name[64], part[128], start[PATH_SIZE + 32];
        unsigned line;
        if (row[0] == '#')
            continue;
        assert_int_equal(sscanf(row, "%63s %u %127[^\n]", name, &line, part),
                         3);
        snprintf(path, sizeof path, "%s%s.ovpn", folder, name);
        if (line)
            snprintf(start, sizeof start, "%s:%u: %s: ", path, line, severity);
        else
            snprintf(start, sizeof start, "%s: %s: ", path, severity);

        char *text;
        int code = run(path, &text);
        if (code != wanted || !find_line(text, start, part))
            fail_msg("wanted exit code %d and `%s...%s', got %d and\n%s",
                     wanted, start, part, code, text);
        free(text);
        rows++;
    }
    fclose(expected);
    assert_true(rows > 0);
    assert_int_equal(rows, count_profiles(folder));
}

static void every_broken_profile_is_refused_by_its_line(void **state)
{
    (void)state;
    check_folder(BROKEN, CHECK_UNUSABLE, "error");
}

static void every_odd_profile_is_used_with_a_warning(void **state)
{
    (void)state;
    check_folder(ODD, CHECK_USABLE, "warning");
}

static void every_style_of_provider_is_accepted(void **state)
{
    (void)state;
    DIR *directory = opendir(PROFILES);
    assert_non_null(directory);
    size_t count = 0;
    for (struct dirent *e; (e = readdir(directory));) {
        if (!is_profile(e->d_name))
            continue;
        char path[PATH_SIZE + sizeof PROFILES];
        snprintf(path, sizeof path, PROFILES "%s", e->d_name);
        char *text;
        int code = run(path, &text);
        if (code != CHECK_USABLE || strstr(text, " error: "))
            fail_msg("%s is not accepted:\n%s", path, text);
        free(text);
        count++;
    }
    closedir(directory);
    assert_true(count >= 12);
}

/* Every line of a report goes to a terminal or a log: nothing in it may come
 * from a block or a file of secrets. */
static void no_secret_is_printed(void **state)
{
    (void)state;
    static const char *const secrets[] = {
        "not-a-secret", "correct horse battery", "0000111122223333",
        "MIGHAgEAMBMGByqGSM49", /* the client's key */
    };
    static const char *const files[] = {
        PROFILES "company_windows.ovpn", PROFILES "linux_with_resolvconf.ovpn",
        PROFILES "mullvad.ovpn",         PROFILES "airvpn.ovpn",
        BROKEN "cert_is_a_key.ovpn",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *text;
        (void)run(files[i], &text);
        for (size_t k = 0; k < sizeof secrets / sizeof secrets[0]; k++)
            assert_null(strstr(text, secrets[k]));
        free(text);
    }
}

static void the_summary_is_for_a_person(void **state)
{
    (void)state;
    char *text;
    assert_int_equal(run(PROFILES "company_windows.ovpn", &text), 0);
    static const char expected[] = PROFILES
        "company_windows.ovpn:40: warning: `status' is ignored: a "
        "profile may not say what is written where\n" PROFILES
        "company_windows.ovpn:24: note: `test-proxy.txt' is read for "
        "`http-proxy-user-pass': the name and password in it are sent, "
        "readable on the way, to the proxy (proxy.corp.example port "
        "3128)\n" PROFILES "company_windows.ovpn: usable, 0 errors, 1 warning\n"
        "  remote             vpn1.corp.example:1194 UDP\n"
        "  remote             vpn2.corp.example:443 TCP through HTTP proxy "
        "proxy.corp.example:3128\n"
        "  remote             vpn3.corp.example:8443 TCP\n"
        "  remote             tried in this order\n"
        "  server             verified by a certificate of the profile's "
        "authority, issued for a server, name `vpn server'\n"
        "  authentication     certificate and key, user name and password, "
        "answer to a challenge\n"
        "  wrapping           none\n"
        "  ciphers            AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\n"
        "  will be asked for  user name, password, answer to the challenge\n";
    assert_string_equal(text, expected);
    free(text);
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/nonexistent/x.ovpn", "there is no such file"},
        {"/dev/zero", "not a regular file"},
        {PROFILES, "not a regular file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text;
        assert_int_equal(run(cases[i].path, &text), CHECK_UNUSABLE);
        char start[PATH_SIZE];
        snprintf(start, sizeof start, "%s: error: ", cases[i].path);
        assert_non_null(find_line(text, start, cases[i].text));
        assert_non_null(strstr(text, "not usable, 1 error, 0 warnings\n"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_broken_profile_is_refused_by_its_line),
        cmocka_unit_test(every_odd_profile_is_used_with_a_warning),
        cmocka_unit_test(every_style_of_provider_is_accepted),
        cmocka_unit_test(no_secret_is_printed),
        cmocka_unit_test(the_summary_is_for_a_person),
        cmocka_unit_test(what_cannot_be_read_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
