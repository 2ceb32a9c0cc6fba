#include "gateway/nano/profile_volume.h"
#include "tests/nano/tar.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"

static struct tar tar;
static char place[64];
static int directory;
static char last_line[256];

static void keep_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static int set_up(void **state)
{
    (void)state;
    tar.size = 0;
    log_set_sink(keep_line, NULL);
    snprintf(place, sizeof place, "/tmp/profile-volume-XXXXXX");
    if (!mkdtemp(place))
        return -1;
    directory = open(place, O_DIRECTORY);
    return directory < 0;
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    close(directory);
    log_set_sink(NULL, NULL);
    return nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool import(void)
{
    return profile_volume_write(tar_bytes(&tar), directory);
}

static void expect_file(const char *name, const char *content)
{
    char got[64] = {0};
    struct stat status;
    int file = openat(directory, name, O_RDONLY);
    assert_true(file >= 0);
    assert_true(read(file, got, sizeof got - 1) >= 0);
    assert_string_equal(got, content);
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    close(file);
}

static void expect_nothing(void)
{
    struct stat status;
    assert_int_equal(fstat(directory, &status), 0);
    assert_int_equal(faccessat(directory, "a", F_OK, 0), -1);
}

static void files_are_written(void **state)
{
    (void)state;
    tar_add(&tar, (struct tar_member){.name = "./", .type = '5'});
    tar_add_file(&tar, "./home.ovpn", "client\n");
    tar_add(&tar, (struct tar_member){.name = "keys", .type = '5'});
    tar_add_file(&tar, "keys/ca.crt", "x");
    /* The archive does not name the directories of this one. */
    tar_add_file(&tar, "b/c/d", "deep");
    tar_end(&tar);
    assert_true(import());
    expect_file("home.ovpn", "client\n");
    expect_file("keys/ca.crt", "x");
    expect_file("b/c/d", "deep");
    assert_string_equal(last_line, "profiles: 3 files, 12 bytes");
}

static void an_empty_volume_is_no_error(void **state)
{
    (void)state;
    tar_end(&tar);
    assert_true(import());
    assert_string_equal(last_line, "profiles: the private volume is empty");
}

static void what_is_no_archive_is_named(void **state)
{
    (void)state;
    memset(tar.data, 0x5a, 4096);
    tar.size = 4096;
    assert_false(import());
    assert_string_equal(last_line,
                        "profiles: the private volume holds no tar archive");
}

static void of_a_bad_archive_nothing_is_written(void **state)
{
    (void)state;
    tar_add_file(&tar, "a", "good");
    tar_add(&tar, (struct tar_member){.name = "b", .type = '2'});
    tar_end(&tar);
    assert_false(import());
    expect_nothing();
    assert_string_equal(
        last_line,
        "profiles: none are taken: b: this is neither a file nor a directory");
}

static void one_name_twice_is_refused(void **state)
{
    (void)state;
    tar_add_file(&tar, "a", "good");
    tar_add_file(&tar, "a", "bad");
    tar_end(&tar);
    assert_false(import());
}

static void a_file_is_no_directory_of_another(void **state)
{
    (void)state;
    tar_add_file(&tar, "a", "");
    tar_add_file(&tar, "a/b", "");
    tar_end(&tar);
    assert_false(import());
}

/* Archives never make one, but the directory might have had one. */
static void links_are_not_followed(void **state)
{
    (void)state;
    assert_int_equal(symlinkat("elsewhere", directory, "a"), 0);
    tar_add_file(&tar, "a", "x");
    tar_end(&tar);
    assert_false(import());
    assert_int_equal(faccessat(directory, "elsewhere", F_OK, 0), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(files_are_written),
        TEST(an_empty_volume_is_no_error),
        TEST(what_is_no_archive_is_named),
        TEST(of_a_bad_archive_nothing_is_written),
        TEST(one_name_twice_is_refused),
        TEST(a_file_is_no_directory_of_another),
        TEST(links_are_not_followed),
    };
    return cmocka_run_group_tests_name("profile volume", tests, NULL, NULL);
}
