/* With files in a directory of the test's own. */
#include "gateway/vpn/profiles.h"

#include "tests/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"

#define GOOD                                                                   \
    "client\ndev tun\nremote 192.0.2.1 1194 udp\nauth-user-pass\n"             \
    "peer-fingerprint "                                                        \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"                         \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n"

struct fixture {
    char directory[32];
    struct profiles profiles;
    struct vm_config settings;
    unsigned offered, refusals;
    char taken[PROTOCOL_HOST_SIZE]; /* host of the profile that was taken */
};

static void quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/profiles-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    profiles_init(&f->profiles, NULL, f->directory);
    log_set_sink(quiet, NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[64];
    log_set_sink(NULL, NULL);
    snprintf(command, sizeof command, "rm -r %s", f->directory);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

/* As an editor does: another file in its place. */
static void put(const struct fixture *f, const char *name, const char *text,
                const char *host)
{
    char path[64], fresh[64];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    snprintf(fresh, sizeof fresh, "%s/fresh", f->directory);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fprintf(file, "%s", text);
    if (host)
        fprintf(file, "remote %s 1194 udp\n", host);
    fclose(file);
    assert_int_equal(rename(fresh, path), 0);
}

static void set(struct fixture *f, enum vm_config_key key, const char *value)
{
    (void)vm_config_set(&f->settings, key, bytes_of_text(value));
}

static bool take(void *context, struct protocol_profile *profile,
                 char reason[PROTOCOL_WHY_SIZE])
{
    struct fixture *f = context;
    f->offered++;
    /* The last remote is the one that put() added. */
    strcpy(f->taken, profile->servers[profile->server_count - 1].host);
    profile->kind->forget(profile);
    if (!f->refusals)
        return true;
    f->refusals--;
    strcpy(reason, "the key is not of the certificate");
    return false;
}

static enum profiles_outcome pick(struct fixture *f, size_t from)
{
    f->offered = 0;
    f->taken[0] = '\0';
    return profiles_pick(&f->profiles, &f->settings, from, take, f);
}

static const char *why(const struct fixture *f, size_t at)
{
    return f->profiles.entries[at].why;
}

static void without_a_name_none_is_wanted(void **state)
{
    struct fixture *f = *state;
    assert_false(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_NONE);
    set(f, VM_CONFIG_PROFILE, "../passwd");
    assert_false(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_NONE);
    assert_null(profiles_why(&f->profiles));
}

static void the_first_usable_one_is_taken(void **state)
{
    struct fixture *f = *state;
    put(f, "broken.ovpn", "remote\n", NULL);
    put(f, "a.ovpn", GOOD, "a.example");
    put(f, "b.ovpn", GOOD, "b.example");
    set(f, VM_CONFIG_PROFILE, "absent.ovpn broken.ovpn a.ovpn b.ovpn");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(f->profiles.count, 4);

    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
    assert_int_equal(f->profiles.position, 2);
    assert_string_equal(f->taken, "a.example");
    assert_non_null(strstr(why(f, 0), "absent.ovpn: error: there is no such"));
    assert_non_null(strstr(why(f, 1), "broken.ovpn:1: error: "));
    assert_string_equal(why(f, 2), "");
    assert_string_equal(profiles_why(&f->profiles), why(f, 0));
}

static void the_next_is_looked_for_round_the_end(void **state)
{
    struct fixture *f = *state;
    put(f, "a", GOOD, "a.example");
    put(f, "c", GOOD, "c.example");
    set(f, VM_CONFIG_PROFILE, "a b c");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 1), PROFILES_TAKEN);
    assert_string_equal(f->taken, "c.example");
    assert_int_equal(profiles_others(&f->profiles), 1);

    profiles_failed(&f->profiles, f->profiles.entries[2].path, "no answer");
    assert_non_null(strstr(why(f, 2), "/c: no answer"));
    assert_int_equal(pick(f, 3), PROFILES_TAKEN);
    assert_string_equal(f->taken, "a.example");
    assert_int_equal(f->profiles.position, 0);
}

static void a_profile_may_have_a_directory_of_its_own(void **state)
{
    struct fixture *f = *state;
    char command[192];
    snprintf(command, sizeof command,
             "mkdir %s/provider; ln -s /etc/hostname %s/out; ln -s /etc %s/etc",
             f->directory, f->directory, f->directory);
    assert_int_equal(system(command), 0);
    put(f, "provider/work.ovpn", GOOD, "work.example");
    set(f, VM_CONFIG_PROFILE, "out etc/hostname ../provider/work.ovpn");
    assert_false(profiles_want(&f->profiles, &f->settings));
    set(f, VM_CONFIG_PROFILE, "out etc/hostname provider/work.ovpn");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
    assert_string_equal(f->taken, "work.example");
    assert_non_null(strstr(why(f, 0), "outside of the directory"));
    assert_non_null(strstr(why(f, 1), "outside of the directory"));
}

static void a_broken_file_is_read_again_when_it_is_another(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "remote\n", NULL);
    set(f, VM_CONFIG_PROFILE, "a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    assert_false(profiles_changed(&f->profiles));
    assert_int_equal(profiles_others(&f->profiles), 0);

    put(f, "a", GOOD, "a.example");
    assert_true(profiles_changed(&f->profiles));
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
    assert_string_equal(why(f, 0), "");
    assert_false(profiles_changed(&f->profiles));
}

/* Without them it could not be read. */
static void other_rights_make_it_another(void **state)
{
    struct fixture *f = *state;
    char path[64];
    put(f, "a", "remote\n", NULL);
    set(f, VM_CONFIG_PROFILE, "a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    assert_false(profiles_changed(&f->profiles));
    snprintf(path, sizeof path, "%s/a", f->directory);
    /* The kernel's clock of files may stand still for some ms. */
    for (int i = 0; i < 10000 && !profiles_changed(&f->profiles); i++) {
        assert_int_equal(chmod(path, 0640), 0);
        usleep(1000);
    }
    assert_true(profiles_changed(&f->profiles));
}

static void a_file_that_comes_into_being_is_noticed(void **state)
{
    struct fixture *f = *state;
    set(f, VM_CONFIG_PROFILE, "a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    assert_false(profiles_changed(&f->profiles));
    put(f, "a", GOOD, NULL);
    assert_true(profiles_changed(&f->profiles));
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
}

static void refused_keys_make_it_broken_until_all_is_forgotten(void **state)
{
    struct fixture *f = *state;
    put(f, "a", GOOD, "a.example");
    set(f, VM_CONFIG_PROFILE, "a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    f->refusals = 1;
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    assert_int_equal(f->offered, 1);
    assert_non_null(strstr(why(f, 0), "the key is not of the"));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    assert_int_equal(f->offered, 0);

    profiles_forget(&f->profiles);
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
}

static void settings_that_do_not_go_with_it_are_named(void **state)
{
    struct fixture *f = *state;
    put(f, "a", GOOD, "a.example");
    set(f, VM_CONFIG_PROFILE, "a");
    set(f, VM_CONFIG_PROXY, "http://192.0.2.9:3128");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    assert_int_equal(f->offered, 0);
    assert_non_null(strstr(why(f, 0), "HTTP proxy"));

    /* Not broken: with other settings it is read again. */
    set(f, VM_CONFIG_PROXY, "socks5://192.0.2.9:1080");
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
    set(f, VM_CONFIG_REMOTE, "other.example");
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
    assert_string_equal(f->taken, "other.example");
}

static void the_command_line_is_above_dom0(void **state)
{
    struct fixture *f = *state;
    char path[64];
    put(f, "a", GOOD, "a.example");
    put(f, "mine", GOOD, "mine.example");
    snprintf(path, sizeof path, "%s/mine", f->directory);
    profiles_init(&f->profiles, path, f->directory);
    set(f, VM_CONFIG_PROFILE, "a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(f->profiles.count, 1);
    assert_int_equal(pick(f, 0), PROFILES_TAKEN);
    assert_string_equal(f->taken, "mine.example");
}

static void the_same_list_keeps_what_is_known(void **state)
{
    struct fixture *f = *state;
    set(f, VM_CONFIG_PROFILE, "a b");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
    set(f, VM_CONFIG_PROFILE, "a   b");
    assert_false(profiles_want(&f->profiles, &f->settings));
    assert_string_not_equal(why(f, 1), "");
    set(f, VM_CONFIG_PROFILE, "b a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_string_equal(why(f, 1), "");
    assert_true(vm_config_unset(&f->settings, VM_CONFIG_PROFILE));
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(f->profiles.count, 0);
}

static void a_path_that_is_too_long_is_no_other_file(void **state)
{
    struct fixture *f = *state;
    char longest[2 * PROFILES_PATH_SIZE];
    memset(longest, '/', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    profiles_init(&f->profiles, NULL, longest);
    set(f, VM_CONFIG_PROFILE, "a");
    assert_true(profiles_want(&f->profiles, &f->settings));
    assert_int_equal(pick(f, 0), PROFILES_UNUSABLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_name_none_is_wanted),
        TEST(the_first_usable_one_is_taken),
        TEST(the_next_is_looked_for_round_the_end),
        TEST(a_profile_may_have_a_directory_of_its_own),
        TEST(a_broken_file_is_read_again_when_it_is_another),
        TEST(other_rights_make_it_another),
        TEST(a_file_that_comes_into_being_is_noticed),
        TEST(refused_keys_make_it_broken_until_all_is_forgotten),
        TEST(settings_that_do_not_go_with_it_are_named),
        TEST(the_command_line_is_above_dom0),
        TEST(the_same_list_keeps_what_is_known),
        TEST(a_path_that_is_too_long_is_no_other_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
