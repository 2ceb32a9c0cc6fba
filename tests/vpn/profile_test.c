#include "gateway/vpn/profile.h"
#include "gateway/vpn/profile_directory.h"

#include "tests/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/crypto/pkcs12.h"
#include "gateway/openvpn/client/client_profile.h"

#define PROFILES "tests/vectors/profiles/"
#define DEFAULTS "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305"

enum { PATH_SIZE = 96, AUTH_USER = 1, AUTH_CERT = 2, AUTH_KNOWN = 4 };

/* The result that each style of profile must come to. */
static const struct style {
    const char *file;
    size_t remotes, warnings;
    const char *host;
    uint16_t port;
    enum config_protocol protocol;
    enum config_wrap wrap;
    int key_direction;
    unsigned auth; /* AUTH_ bits; KNOWN: name and password are in it */
    const char *digest, *ciphers;
    enum config_compression compression;
} styles[] = {
    {"protonvpn", 20, 1, "192.0.2.10", 80, CONFIG_UDP, CONFIG_WRAP_TLS_CRYPT,
     -1, AUTH_USER, "SHA1", DEFAULTS, CONFIG_COMPRESSION_NONE},
    {"nordvpn", 1, 0, "192.0.2.77", 1194, CONFIG_UDP, CONFIG_WRAP_TLS_AUTH, 1,
     AUTH_USER, "SHA512", DEFAULTS ":AES-256-CBC", CONFIG_COMPRESSION_LZO},
    {"mullvad", 2, 1, "192.0.2.3", 1300, CONFIG_UDP, CONFIG_WRAP_NONE, -1,
     AUTH_USER | AUTH_KNOWN, "SHA1", DEFAULTS, CONFIG_COMPRESSION_NONE},
    {"private_internet_access", 1, 0, "de-berlin.example", 1198, CONFIG_UDP,
     CONFIG_WRAP_NONE, -1, AUTH_USER, "SHA1", DEFAULTS ":AES-128-CBC",
     CONFIG_COMPRESSION_STUB},
    {"airvpn", 1, 0, "192.0.2.200", 443, CONFIG_UDP, CONFIG_WRAP_TLS_CRYPT, -1,
     AUTH_CERT, "SHA512",
     "AES-256-GCM:AES-256-CBC:AES-192-GCM:AES-192-CBC:AES-128-GCM:AES-128-CBC",
     CONFIG_COMPRESSION_LZO},
    {"ivpn", 1, 0, "at.gw.example", 2049, CONFIG_UDP, CONFIG_WRAP_TLS_AUTH, 1,
     AUTH_USER, "SHA1", DEFAULTS ":AES-256-CBC", CONFIG_COMPRESSION_LZO},
    {"expressvpn_tcp", 1, 0, "germany-ca-version-2.example", 443, CONFIG_TCP,
     CONFIG_WRAP_TLS_AUTH, 1, AUTH_USER | AUTH_CERT, "SHA512",
     DEFAULTS ":AES-256-CBC", CONFIG_COMPRESSION_LZO},
    {"access_server", 8, 0, "vpn.example", 1194, CONFIG_UDP,
     CONFIG_WRAP_TLS_AUTH, 1, AUTH_CERT, "SHA1", DEFAULTS,
     CONFIG_COMPRESSION_LZO},
    {"pfsense", 1, 0, "fw.example.org", 1194, CONFIG_UDP, CONFIG_WRAP_TLS_AUTH,
     1, AUTH_USER | AUTH_CERT, "SHA256", DEFAULTS, CONFIG_COMPRESSION_NONE},
    {"opnsense_pkcs12", 1, 0, "fw.example.org", 1194, CONFIG_UDP,
     CONFIG_WRAP_TLS_CRYPT, -1, AUTH_USER, "SHA512", DEFAULTS ":AES-256-CBC",
     CONFIG_COMPRESSION_LZO},
    {"vpn_gate", 1, 1, "192.0.2.99", 1873, CONFIG_TCP, CONFIG_WRAP_NONE, -1,
     AUTH_CERT, "SHA1", DEFAULTS ":AES-128-CBC", CONFIG_COMPRESSION_NONE},
    {"surfshark", 1, 0, "de-ber.prod.example", 1194, CONFIG_UDP,
     CONFIG_WRAP_TLS_AUTH, 1, AUTH_USER, "SHA512", DEFAULTS ":AES-256-CBC",
     CONFIG_COMPRESSION_NONE},
    {"windscribe", 1, 0, "de.example", 443, CONFIG_UDP, CONFIG_WRAP_TLS_AUTH, 1,
     AUTH_USER, "SHA512", DEFAULTS, CONFIG_COMPRESSION_LZO},
    {"vyprvpn", 1, 1, "de1.vpn.example", 1194, CONFIG_UDP, CONFIG_WRAP_NONE, -1,
     AUTH_USER, "SHA256", DEFAULTS ":AES-256-CBC", CONFIG_COMPRESSION_STUB_V2},
    {"ipvanish", 1, 0, "ams-a01.example", 443, CONFIG_UDP, CONFIG_WRAP_NONE, -1,
     AUTH_USER, "SHA256", DEFAULTS ":AES-256-CBC", CONFIG_COMPRESSION_LZO},
    {"purevpn", 1, 2, "de2.ptoserver.example", 80, CONFIG_TCP,
     CONFIG_WRAP_TLS_AUTH, 1, AUTH_USER, "SHA1", DEFAULTS,
     CONFIG_COMPRESSION_LZO},
    {"perfect_privacy", 2, 1, "198.51.100.10", 148, CONFIG_UDP,
     CONFIG_WRAP_TLS_AUTH, 1, AUTH_USER | AUTH_CERT, "SHA512",
     DEFAULTS ":AES-256-CBC", CONFIG_COMPRESSION_NONE},
    {"company_windows", 3, 1, "vpn1.corp.example", 1194, CONFIG_UDP,
     CONFIG_WRAP_NONE, -1, AUTH_USER | AUTH_CERT, "SHA1", DEFAULTS,
     CONFIG_COMPRESSION_NONE},
    {"self_hosted_tls_crypt_v2", 1, 0, "vpn.example.net", 1194, CONFIG_UDP,
     CONFIG_WRAP_TLS_CRYPT_V2, -1, AUTH_CERT, "SHA256", DEFAULTS,
     CONFIG_COMPRESSION_NONE},
    {"peer_fingerprint", 1, 0, "2001:db8::1", 1194, CONFIG_UDP,
     CONFIG_WRAP_NONE, -1, AUTH_CERT, "SHA1", "CHACHA20-POLY1305:AES-256-GCM",
     CONFIG_COMPRESSION_NONE},
    {"linux_with_resolvconf", 1, 6, "vpn.uni.example", 1194, CONFIG_UDP,
     CONFIG_WRAP_NONE, -1, AUTH_USER | AUTH_KNOWN, "SHA1", DEFAULTS,
     CONFIG_COMPRESSION_NONE},
};

struct reports {
    size_t errors, warnings;
    char last[256];
};

static void count(void *context, enum protocol_severity severity, unsigned line,
                  const char *text)
{
    struct reports *r = context;
    (void)line;
    if (severity == PROTOCOL_NOTE)
        return;
    if (severity == PROTOCOL_ERROR)
        r->errors++;
    else
        r->warnings++;
    snprintf(r->last, sizeof r->last, "%s", text);
}

static struct protocol_profile *read_style(const char *name)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, PROFILES "%s.ovpn", name);
    struct reports r = {0};
    bool usable;
    struct protocol_profile *profile = profile_read(path, count, &r, &usable);
    assert_true(usable);
    return profile;
}

static void forget(struct protocol_profile *profile)
{
    if (profile)
        profile->kind->forget(profile);
}

static void check_style(const struct style *s)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, PROFILES "%s.ovpn", s->file);
    struct reports r = {0};
    bool usable;
    struct protocol_profile *profile = profile_read(path, count, &r, &usable);
    const struct config *c = client_profile_config(profile);
    assert_true(usable);
    assert_int_equal(profile->server_count, s->remotes);
    assert_int_equal(r.errors, 0);
    assert_int_equal(r.warnings, s->warnings);
    assert_int_equal(c->remote_count, s->remotes);
    assert_string_equal(c->remotes[0].host, s->host);
    assert_int_equal(c->remotes[0].port, s->port);
    assert_int_equal(c->remotes[0].protocol, s->protocol);
    assert_int_equal(c->remotes[0].wrap, s->wrap);
    assert_int_equal(c->remotes[0].wrap_key.size > 0,
                     s->wrap != CONFIG_WRAP_NONE);
    assert_int_equal(c->remotes[0].key_direction, s->key_direction);
    assert_int_equal(c->auth_user_pass, (s->auth & AUTH_USER) != 0);
    assert_int_equal(c->username && c->password, (s->auth & AUTH_KNOWN) != 0);
    assert_int_equal(c->cert.data && c->key.data, (s->auth & AUTH_CERT) != 0);
    assert_string_equal(c->auth, s->digest);
    assert_string_equal(c->data_ciphers, s->ciphers);
    assert_int_equal(c->compression, s->compression);
    assert_true(c->pull);
    forget(profile);
}

static void every_style_comes_to_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
        print_message("# %s\n", styles[i].file);
        check_style(&styles[i]);
    }
}

static void blocks_inherit_and_differ(void **state)
{
    (void)state;
    struct protocol_profile *profile = read_style("company_windows");
    const struct config *c = client_profile_config(profile);
    assert_true(c->remotes[0].explicit_exit_notify);
    assert_int_equal(c->remotes[0].connect_timeout, 10);
    assert_int_equal(c->remotes[0].proxy.kind, CONFIG_PROXY_NONE);
    assert_int_equal(c->remotes[1].protocol, CONFIG_TCP);
    assert_int_equal(c->remotes[1].proxy.kind, CONFIG_PROXY_HTTP);
    assert_string_equal(c->remotes[1].proxy.username, "proxyuser");
    assert_string_equal(c->remotes[1].proxy.password, "not-a-secret");
    assert_string_equal(
        c->remotes[1].proxy.headers,
        "User-Agent: Mozilla/5.0 (Windows NT 10.0)\r\nX-Office: Building "
        "\"4\"\r\n");
    assert_int_equal(c->remotes[2].port, 8443);
    assert_int_equal(c->remotes[2].protocol, CONFIG_TCP);
    assert_false(c->remotes[2].explicit_exit_notify);
    assert_string_equal(c->static_challenge, "Enter the code of your token");
    assert_true(c->static_challenge_echo);
    assert_true(c->route_nopull);
    assert_int_equal(c->pull_filter_count, 2);
    assert_string_equal(c->pull_filters[1].prefix, "dhcp-option DNS6");
    assert_int_equal(c->option_count, 4);
    /* An indented block is handed on as PEM has it. */
    assert_memory_equal(c->ca.data, "-----BEGIN CERTIFICATE-----", 27);
    forget(profile);
}

static void what_a_server_is_told_is_kept(void **state)
{
    (void)state;
    struct protocol_profile *profile = read_style("airvpn");
    const struct config *c = client_profile_config(profile);
    assert_true(c->push_peer_info);
    assert_int_equal(c->peer_info_count, 1);
    assert_string_equal(c->peer_info[0], "UV_IPV6=no");
    assert_string_equal(c->data_ciphers_fallback, "AES-256-CBC");
    assert_true(c->remotes[0].explicit_exit_notify);
    forget(profile);

    profile = read_style("access_server");
    c = client_profile_config(profile);
    assert_true(c->push_peer_info);
    assert_true(c->ns_cert_type_server);
    assert_int_equal(c->tls_version_min, CONFIG_TLS_1_0);
    assert_int_equal(c->reneg_seconds, 604800);
    assert_int_equal(c->remotes[0].connect_timeout, 4);
    assert_int_equal(c->remotes[2].protocol, CONFIG_TCP);
    forget(profile);
}

static void a_file_of_credentials_is_read(void **state)
{
    (void)state;
    struct protocol_profile *profile = read_style("mullvad");
    const struct config *c = client_profile_config(profile);
    assert_string_equal(c->username, "0000111122223333");
    assert_string_equal(c->password, "m");
    forget(profile);
    profile = read_style("linux_with_resolvconf");
    c = client_profile_config(profile);
    assert_string_equal(c->username, "alice@uni.example");
    assert_string_equal(c->password, "correct horse battery");
    forget(profile);
}

static void a_container_in_base64_opens(void **state)
{
    (void)state;
    struct protocol_profile *profile = read_style("opnsense_pkcs12");
    const struct config *c = client_profile_config(profile);
    struct pkcs12 p;
    assert_int_equal(pkcs12_open(bytes_of(c->pkcs12.data, c->pkcs12.size),
                                 bytes_of_text("test"), &p),
                     PKCS12_OK);
    assert_int_equal(p.certificate_count, 2);
    pkcs12_clear(&p);
    forget(profile);
}

/* --- Files that a profile names ------------------------------------------ */

static char folder[] = "/tmp/profile-test-XXXXXX";

static const char *in_folder(char out[PATH_SIZE], const char *name)
{
    snprintf(out, PATH_SIZE, "%s/%s", folder, name);
    return out;
}

static void write_file(const char *name, const char *text)
{
    char path[PATH_SIZE];
    FILE *file = fopen(in_folder(path, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Reads a profile that has `line` as its only file; what was said last. */
static bool reads(const char *line, struct reports *r)
{
    char text[512], path[PATH_SIZE];
    snprintf(text, sizeof text,
             "client\ndev tun\nremote a.example\nremote-cert-tls server\n"
             "auth-user-pass\n%s\n",
             line);
    write_file("p.ovpn", text);
    bool usable;
    *r = (struct reports){0};
    forget(profile_read(in_folder(path, "p.ovpn"), count, r, &usable));
    return usable;
}

static void make_tree(void)
{
    char path[PATH_SIZE];
    FILE *ca = fopen(PROFILES "test-ca.crt", "r");
    char text[2048];
    assert_non_null(ca);
    text[fread(text, 1, sizeof text - 1, ca)] = '\0';
    fclose(ca);
    write_file("ca.crt", text);
    assert_int_equal(mkdir(in_folder(path, "keys"), 0700), 0);
    write_file("keys/ca.crt", text);
    assert_int_equal(symlink("ca.crt", in_folder(path, "inside")), 0);
    assert_int_equal(symlink("/etc/passwd", in_folder(path, "outside")), 0);
    assert_int_equal(mkfifo(in_folder(path, "pipe"), 0600), 0);
}

static void remove_tree(void)
{
    static const char *const names[] = {"p.ovpn", "ca.crt",  "keys/ca.crt",
                                        "inside", "outside", "pipe",
                                        "large"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_folder(path, names[i]));
    rmdir(in_folder(path, "keys"));
    rmdir(folder);
}

static void files_come_from_the_profiles_directory_only(void **state)
{
    (void)state;
    struct reports r;
    char line[PATH_SIZE + 8];
    assert_true(reads("ca ca.crt", &r));
    assert_true(reads("ca ./ca.crt", &r));
    assert_true(reads("ca keys/ca.crt", &r));
    assert_true(reads("ca keys/../ca.crt", &r));
    assert_true(reads("ca inside", &r));
    snprintf(line, sizeof line, "ca %s/keys/ca.crt", folder);
    assert_true(reads(line, &r));

    static const char *const outside[] = {"ca ../ca.crt", "ca /etc/passwd",
                                          "ca outside", "ca /proc/self/root",
                                          "ca keys/../../x"};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(reads(outside[i], &r));
        assert_int_equal(r.errors, 1);
        assert_non_null(strstr(r.last, "outside of the profile's directory"));
    }
    /* The start of a name is not a directory. */
    snprintf(line, sizeof line, "ca %sx/keys", folder);
    assert_false(reads(line, &r));
}

static void files_that_moved_with_the_profile_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *line, *found;
    } cases[] = {
        {"ca /etc/openvpn/ca.crt", "`ca.crt'"},
        {"ca /etc/openvpn/keys/ca.crt", "`keys/ca.crt'"},
        {"ca //ca.crt", "`ca.crt'"},
        {"ca \"C:\\\\Program Files\\\\keys\\\\ca.crt\"", "`keys/ca.crt'"},
    };
    struct reports r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(reads(cases[i].line, &r));
        assert_int_equal(r.warnings, 1);
        assert_non_null(strstr(r.last, cases[i].found));
    }
    /* Not by the end of a relative path, and never upwards or by a link. */
    static const char *const lost[] = {"ca other/ca.crt", "ca /x/../../ca.crt/",
                                       "ca /x/outside", "ca /"};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
        assert_false(reads(lost[i], &r));
}

static void only_regular_files_of_a_sane_size_are_read(void **state)
{
    (void)state;
    struct reports r;
    char path[PATH_SIZE];
    assert_false(reads("ca pipe", &r));
    assert_non_null(strstr(r.last, "not a regular file"));
    assert_false(reads("ca keys", &r));
    assert_non_null(strstr(r.last, "not a regular file"));
    write_file("large", "x");
    assert_int_equal(truncate(in_folder(path, "large"), PROFILE_FILE_MAX + 1),
                     0);
    assert_false(reads("ca large", &r));
    assert_non_null(strstr(r.last, "larger than"));
}

static void unreadable_credentials_are_asked_for(void **state)
{
    (void)state;
    struct reports r;
    assert_true(reads("ca ca.crt\nauth-user-pass /etc/passwd", &r));
    assert_int_equal(r.warnings, 1);
    assert_non_null(strstr(r.last, "it will be asked for"));
}

/* --- The log ------------------------------------------------------------- */

static char log_text[1024];

static void keep(void *context, enum log_level level, const char *line)
{
    (void)context;
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%d %s\n", (int)level,
             line);
}

static void problems_are_logged_with_file_and_line(void **state)
{
    (void)state;
    log_set_sink(keep, NULL);
    log_text[0] = '\0';
    struct protocol_profile *profile =
        profile_load(PROFILES "purevpn.ovpn", NULL);
    assert_non_null(profile);
    forget(profile);
    char why[PROFILE_WHY_SIZE];
    assert_null(profile_load("/nonexistent", why));
    assert_string_equal(why, "/nonexistent: error: there is no such file");
    log_set_sink(NULL, NULL);
    assert_non_null(
        strstr(log_text, "1 " PROFILES "purevpn.ovpn:10: warning: `cipher"));
    assert_non_null(
        strstr(log_text, "1 " PROFILES "purevpn.ovpn: warning: nothing says"));
    assert_non_null(
        strstr(log_text, "0 /nonexistent: error: there is no such file\n"));
}

static void whether_one_is_usable_is_told_without_warnings(void **state)
{
    (void)state;
    log_set_sink(keep, NULL);
    log_text[0] = '\0';
    assert_true(profile_usable(PROFILES "purevpn.ovpn"));
    assert_string_equal(log_text, "");
    assert_false(profile_usable("/nonexistent"));
    log_set_sink(NULL, NULL);
    assert_string_equal(log_text,
                        "0 /nonexistent: error: there is no such file\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_style_comes_to_what_it_says),
        cmocka_unit_test(blocks_inherit_and_differ),
        cmocka_unit_test(what_a_server_is_told_is_kept),
        cmocka_unit_test(a_file_of_credentials_is_read),
        cmocka_unit_test(a_container_in_base64_opens),
        cmocka_unit_test(files_come_from_the_profiles_directory_only),
        cmocka_unit_test(files_that_moved_with_the_profile_are_found),
        cmocka_unit_test(only_regular_files_of_a_sane_size_are_read),
        cmocka_unit_test(unreadable_credentials_are_asked_for),
        cmocka_unit_test(problems_are_logged_with_file_and_line),
        cmocka_unit_test(whether_one_is_usable_is_told_without_warnings),
    };
    if (!mkdtemp(folder))
        return 1;
    make_tree();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_tree();
    return failed;
}
