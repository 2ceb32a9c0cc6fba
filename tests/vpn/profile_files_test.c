/* With profiles and files in a directory of the test's own. */
#include "gateway/vpn/profile_files.h"

#include "tests/unit.h"

#include <stdio.h>

#include "gateway/vpn/profile.h"

#define PROFILE                                                                \
    "client\ndev tun\nremote vpn.example 1194 udp\nremote-cert-tls server\n"

enum { PATH_SIZE = 96 };

static char folder[] = "/tmp/profile-files-test-XXXXXX";

struct said {
    char notes[2048], warnings[2048];
};

static void collect(void *context, enum protocol_severity severity,
                    unsigned line, const char *text)
{
    struct said *s = context;
    char *out = severity == PROTOCOL_NOTE ? s->notes : s->warnings;
    size_t used = strlen(out);
    snprintf(out + used, sizeof s->notes - used, "%u %s\n", line, text);
}

static void put(const char *name, const char *text, const char *more)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s%s", text, more);
    assert_int_equal(fclose(file), 0);
}

static void run(const char *command)
{
    char line[256];
    snprintf(line, sizeof line, "cd %s && %s", folder, command);
    assert_int_equal(system(line), 0);
}

static struct said *read_profile(const char *name)
{
    static struct said said;
    char path[PATH_SIZE];
    bool usable;
    said = (struct said){0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct protocol_profile *profile =
        profile_read(path, collect, &said, &usable);
    if (profile)
        profile->kind->forget(profile);
    return &said;
}

static int set_up(void **state)
{
    (void)state;
    run("rm -rf provider *.ovpn *.conf; mkdir -p provider");
    put("ca.crt", "", "");
    run("cp \"$OLDPWD\"/tests/vectors/profiles/test-ca.crt ca.crt");
    put("work.pass", "anna\nsecret\n", "");
    put("proxy.pass", "bob\nsecret\n", "");
    return 0;
}

static void it_is_said_where_the_content_of_each_goes(void **state)
{
    (void)state;
    put("a.ovpn",
        "client\ndev tun\nremote vpn.example 1194 tcp\nremote-cert-tls "
        "server\n",
        "ca ca.crt\nauth-user-pass work.pass\n"
        "http-proxy proxy.example 3128 proxy.pass basic\n");
    struct said *s = read_profile("a.ovpn");
    assert_non_null(
        strstr(s->notes, "5 `ca.crt' is read for `ca': it stays here\n"));
    assert_non_null(strstr(
        s->notes, "6 `work.pass' is read for `auth-user-pass': the name and "
                  "password in it are sent to the server (vpn.example port "
                  "1194)\n"));
    assert_non_null(strstr(
        s->notes, "7 `proxy.pass' is read for `http-proxy': the name and "
                  "password in it are sent, readable on the way, to the proxy "
                  "(proxy.example port 3128)\n"));
    assert_string_equal(s->warnings, "");
}

static void a_neighbours_credentials_are_warned_of(void **state)
{
    (void)state;
    put("work.ovpn", PROFILE, "ca ca.crt\nauth-user-pass work.pass\n");
    put("evil.ovpn", PROFILE, "ca ca.crt\nauth-user-pass ./work.pass\n");
    struct said *s = read_profile("evil.ovpn");
    assert_non_null(
        strstr(s->warnings,
               "6 `./work.pass' is used by the profile `work.ovpn' as well"));
    /* A file that stays here may be anybody's. */
    assert_null(strstr(s->warnings, "ca.crt"));
}

static void so_they_are_by_another_name_or_for_another_use(void **state)
{
    (void)state;
    put("work.ovpn", PROFILE, "ca ca.crt\nauth-user-pass work.pass\n");
    run("ln -sf work.pass alias; ln -f work.pass twin");
    static const char *const uses[] = {
        "ca ca.crt\nauth-user-pass alias\n",
        "ca ca.crt\nauth-user-pass twin\n",
        "ca ca.crt\nproto tcp\nhttp-proxy proxy.example 80 work.pass basic\n",
        "ca ca.crt\nsocks-proxy proxy.example 1080 work.pass\n",
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        put("evil.ovpn", PROFILE, uses[i]);
        if (!strstr(read_profile("evil.ovpn")->warnings, "`work.ovpn' as well"))
            fail_msg("%s", uses[i]);
    }
    run("rm alias twin");
}

static void so_are_those_of_a_directory_below(void **state)
{
    (void)state;
    put("provider/work.ovpn", PROFILE, "ca ../ca.crt\nauth-user-pass pass\n");
    put("provider/pass", "anna\nsecret\n", "");
    put("evil.ovpn", PROFILE, "ca ca.crt\nauth-user-pass provider/pass\n");
    assert_non_null(strstr(read_profile("evil.ovpn")->warnings,
                           "used by the profile `provider/work.ovpn' as well"));
}

static void a_directory_for_each_profile_keeps_them_apart(void **state)
{
    (void)state;
    run("mkdir -p evil; cp ca.crt provider; cp ca.crt evil");
    put("provider/work.ovpn", PROFILE, "ca ca.crt\nauth-user-pass pass\n");
    put("provider/pass", "anna\nsecret\n", "");
    put("evil/evil.ovpn", PROFILE,
        "ca ca.crt\nauth-user-pass ../provider/pass\n");
    struct said *s = read_profile("evil/evil.ovpn");
    assert_null(strstr(s->notes, "pass' is read"));
    assert_non_null(strstr(s->warnings, "outside of the profile's directory"));
    assert_string_equal(read_profile("provider/work.ovpn")->warnings, "");
    run("rm -r evil");
}

/* Pipes, directories, links to nowhere, files that are no profiles. */
static void what_lies_beside_it_does_no_harm(void **state)
{
    (void)state;
    run("mkfifo pipe.ovpn; mkdir dir.ovpn; ln -s nowhere gone.conf; ln -s . "
        "loop; head -c 2000000 /dev/zero >large.ovpn; head -c 5000 "
        "/dev/urandom >noise.ovpn; ln -s a.ovpn itself.ovpn");
    put("a.ovpn", PROFILE, "ca ca.crt\nauth-user-pass work.pass\n");
    assert_string_equal(read_profile("a.ovpn")->warnings, "");
    run("rm -r pipe.ovpn dir.ovpn gone.conf loop large.ovpn noise.ovpn "
        "itself.ovpn");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(it_is_said_where_the_content_of_each_goes),
        TEST(a_neighbours_credentials_are_warned_of),
        TEST(so_they_are_by_another_name_or_for_another_use),
        TEST(so_are_those_of_a_directory_below),
        TEST(a_directory_for_each_profile_keeps_them_apart),
        TEST(what_lies_beside_it_does_no_harm),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    run("cd / && rm -r \"$OLDPWD\"");
    return failed;
}
