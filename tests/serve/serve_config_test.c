/* With a configuration in a directory of the test's own. */
#include "gateway/serve/serve_config.h"

#include "tests/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "tests/vectors/pki.h"

enum { PATH_SIZE = 96 };

static char folder[] = "/tmp/serve-config-test-XXXXXX";
static char log_text[1024];

static void keep(void *context, enum log_level level, const char *line)
{
    (void)context;
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%d %s\n", (int)level,
             line);
}

/* A server's configuration, whole, with a directory of clients' files. */
static bool serves_with(const char *name, const char *more)
{
    char path[PATH_SIZE + 8];
    struct server_config c;
    snprintf(path, sizeof path, "%s/s.conf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "server 10.8.0.0 255.255.255.0\ntopology subnet\n<ca>\n%s</ca>\n"
            "<cert>\n%s</cert>\n<key>\n%s</key>\nclient-config-dir %s\n%s",
            pki_ca, pki_server_crt, pki_server_key, name, more);
    fclose(file);
    log_text[0] = '\0';
    log_set_sink(keep, NULL);
    bool usable = serve_config_load(path, &c);
    log_set_sink(NULL, NULL);
    server_config_clear(&c);
    unlink(path);
    return usable;
}

/* If only clients with a file come in, none would. */
static void a_missing_directory_of_clients_is_told(void **state)
{
    (void)state;
    assert_true(serves_with(".", "ccd-exclusive\n"));
    assert_string_equal(log_text, "");
    assert_true(serves_with("nowhere", ""));
    assert_non_null(strstr(log_text, "warning: `client-config-dir'"));
    assert_non_null(strstr(log_text, "/nowhere"));
    assert_false(serves_with("nowhere", "ccd-exclusive\n"));
    assert_non_null(strstr(log_text, "nobody could come in"));
    assert_false(serves_with("s.conf", "ccd-exclusive\n")); /* a file */
}

/* Once, and not for each line. */
static void a_profile_of_wireguard_is_named_as_such(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    struct server_config c;
    snprintf(path, sizeof path, "%s/wg.conf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[Interface]\nPrivateKey = x\nAddress = 10.0.0.2/32\n\n[Peer]\n"
          "PublicKey = y\nEndpoint = vpn.example:51820\n",
          file);
    fclose(file);
    log_text[0] = '\0';
    log_set_sink(keep, NULL);
    assert_false(serve_config_load(path, &c));
    log_set_sink(NULL, NULL);
    server_config_clear(&c);
    unlink(path);
    assert_non_null(strstr(log_text, "error: this is a profile of WireGuard"));
    assert_ptr_equal(strchr(log_text, '\n'), strrchr(log_text, '\n'));
}

static void what_it_named_is_read_again(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    struct blob text = {0};
    snprintf(path, sizeof path, "%s/crl.pem", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("a list", file);
    fclose(file);
    snprintf(path, sizeof path, "%s/s.conf", folder);
    assert_true(serve_config_read_again(path, "crl.pem", &text));
    assert_string_equal((char *)text.data, "a list");
    blob_free(&text);
    log_text[0] = '\0';
    log_set_sink(keep, NULL);
    assert_false(serve_config_read_again(path, "absent.pem", &text));
    log_set_sink(NULL, NULL);
    assert_non_null(strstr(log_text, "s.conf: absent.pem: there is no such"));
    snprintf(path, sizeof path, "%s/crl.pem", folder);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_directory_of_clients_is_told),
        cmocka_unit_test(a_profile_of_wireguard_is_named_as_such),
        cmocka_unit_test(what_it_named_is_read_again),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
