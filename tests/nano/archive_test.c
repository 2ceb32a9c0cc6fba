#include "gateway/nano/archive.h"
#include "tests/nano/tar.h"
#include "tests/unit.h"

static struct tar tar;
static struct archive_member member;

static int set_up(void **state)
{
    (void)state;
    tar.size = 0;
    return 0;
}

static enum archive_result check(void)
{
    return archive_check(tar_bytes(&tar), &member);
}

static enum archive_result check_file_called(const char *prefix,
                                             const char *name)
{
    tar.size = 0;
    tar_add(&tar,
            (struct tar_member){.name = name, .prefix = prefix, .type = '0'});
    tar_end(&tar);
    return check();
}

static void a_volume_is_told_by_its_first_block(void **state)
{
    (void)state;
    static const uint8_t zero[ARCHIVE_BLOCK * 2];
    uint8_t noise[ARCHIVE_BLOCK];
    memset(noise, 0x5a, sizeof noise);
    assert_int_equal(archive_kind(bytes_of(NULL, 0)), ARCHIVE_NOTHING);
    assert_int_equal(archive_kind(bytes_of(zero, sizeof zero)),
                     ARCHIVE_NOTHING);
    assert_int_equal(archive_kind(bytes_of(noise, sizeof noise)),
                     ARCHIVE_UNKNOWN);
    assert_int_equal(archive_kind(bytes_of(noise, 100)), ARCHIVE_UNKNOWN);
    tar_add_file(&tar, "a", "");
    assert_int_equal(archive_kind(tar_bytes(&tar)), ARCHIVE_TAR);
}

static void files_and_directories_are_read(void **state)
{
    (void)state;
    tar_add(&tar, (struct tar_member){.name = "./", .type = '5'});
    tar_add_file(&tar, "./home.ovpn", "client\n");
    tar_add(&tar,
            (struct tar_member){.name = "keys/", .type = '5', .of_gnu = true});
    tar_add(&tar, (struct tar_member){.name = "keys//./ca.crt",
                                      .prefix = "more/than",
                                      .type = '\0',
                                      .content = bytes_of_text("x")});
    tar_end(&tar);

    struct archive a = archive_of(tar_bytes(&tar));
    assert_int_equal(archive_next(&a, &member), ARCHIVE_MEMBER);
    assert_string_equal(member.name, "home.ovpn");
    assert_false(member.is_directory);
    assert_true(bytes_equal(member.content, bytes_of_text("client\n")));
    assert_int_equal(archive_next(&a, &member), ARCHIVE_MEMBER);
    assert_string_equal(member.name, "keys");
    assert_true(member.is_directory);
    assert_int_equal(archive_next(&a, &member), ARCHIVE_MEMBER);
    assert_string_equal(member.name, "more/than/keys/ca.crt");
    assert_int_equal(archive_next(&a, &member), ARCHIVE_END);
    /* And no more after the end. */
    assert_int_not_equal(archive_next(&a, &member), ARCHIVE_MEMBER);
    assert_int_equal(check(), ARCHIVE_END);
}

static void what_follows_the_end_is_not_read(void **state)
{
    (void)state;
    tar_add_file(&tar, "a", "a");
    tar_end(&tar);
    tar_add_file(&tar, "../b", "b");
    assert_int_equal(check(), ARCHIVE_END);
}

static void gnus_times_are_no_prefix(void **state)
{
    (void)state;
    tar_add(&tar, (struct tar_member){.name = "a",
                                      .prefix = "15000000000",
                                      .type = '0',
                                      .of_gnu = true});
    tar_end(&tar);
    struct archive a = archive_of(tar_bytes(&tar));
    assert_int_equal(archive_next(&a, &member), ARCHIVE_MEMBER);
    assert_string_equal(member.name, "a");
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    tar_add(&tar, (struct tar_member){.name = "d/", .type = '5'});
    tar_add_file(&tar, "d/a", "the content of a file");
    tar_add_file(&tar, "b", "");
    size_t members_size = tar.size;
    tar_end(&tar);
    for (size_t size = 0; size < members_size + ARCHIVE_BLOCK; size++) {
        uint8_t *copy = exact_copy(tar.data, size);
        assert_int_equal(archive_check(bytes_of(copy, size), &member),
                         ARCHIVE_TRUNCATED);
        free(copy);
    }
    assert_int_equal(check(), ARCHIVE_END);
}

static void every_damaged_byte_of_a_header_is_refused(void **state)
{
    (void)state;
    tar_add_file(&tar, "a", "content");
    tar_end(&tar);
    for (size_t i = 0; i < ARCHIVE_BLOCK; i++) {
        tar.data[i] ^= 0x40;
        /* The checksum's last byte may be a blank, a NUL or anything. */
        if (check() == ARCHIVE_END)
            fail_msg("byte %zu may be another", i);
        tar.data[i] ^= 0x40;
    }
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_file_called("", "/etc/passwd"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "../a"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "a/../b"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("..", "a"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("/a", "b"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("a", "/b"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "a\nb"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "a\x1b[31m"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "a\\b"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "1/2/3/4/5"), ARCHIVE_END);
    assert_int_equal(check_file_called("", "1/2/3/4/5/6"), ARCHIVE_BAD_NAME);
    assert_int_equal(check_file_called("", "..a/b.."), ARCHIVE_END);
    /* A file has a name. */
    assert_int_equal(check_file_called("", "./"), ARCHIVE_BAD_HEADER);
}

static void only_files_and_directories_are_taken(void **state)
{
    (void)state;
    for (int type = 1; type < 256; type++) {
        bool known = strchr("05xgLK", type) != NULL;
        tar.size = 0;
        tar_add(&tar, (struct tar_member){.name = "a", .type = (char)type});
        tar_end(&tar);
        if (!known)
            assert_int_equal(check(), ARCHIVE_BAD_TYPE);
    }
    assert_string_equal(member.name, "a");
}

static void a_directory_has_no_content(void **state)
{
    (void)state;
    tar_add(&tar, (struct tar_member){
                      .name = "a", .type = '5', .content = bytes_of("x", 1)});
    tar_end(&tar);
    assert_int_equal(check(), ARCHIVE_BAD_HEADER);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *size;
        enum archive_result result;
    } cases[] = {
        {"77777777777", ARCHIVE_TOO_MUCH},
        {"00002000001", ARCHIVE_TOO_MUCH},
        {"-0000000001", ARCHIVE_BAD_HEADER},
        {"0x000000001", ARCHIVE_BAD_HEADER},
        {"\x80", ARCHIVE_BAD_HEADER},
        {"           ", ARCHIVE_BAD_HEADER},
        {"1 2", ARCHIVE_BAD_HEADER},
        {"00001777777", ARCHIVE_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tar.size = 0;
        tar_add(&tar, (struct tar_member){
                          .name = "a", .type = '0', .size = cases[i].size});
        tar_end(&tar);
        assert_int_equal(check(), cases[i].result);
    }
}

static void there_are_limits(void **state)
{
    (void)state;
    static uint8_t content[ARCHIVE_FILE_MAX];
    struct tar_member large = {
        .name = "a", .type = '0', .content = bytes_of(content, sizeof content)};
    tar_add(&tar, large);
    tar_add(&tar, large);
    tar_end(&tar);
    assert_int_equal(check(), ARCHIVE_END);
    tar.size -= (size_t)2 * ARCHIVE_BLOCK;
    tar_add_file(&tar, "one byte more", "x");
    tar_end(&tar);
    assert_int_equal(check(), ARCHIVE_TOO_MUCH);
    assert_string_equal(member.name, "one byte more");

    tar.size = 0;
    for (int i = 0; i < ARCHIVE_MEMBERS_MAX; i++)
        tar_add_file(&tar, "a", "");
    size_t size = tar.size;
    tar_end(&tar);
    assert_int_equal(check(), ARCHIVE_END);
    tar.size = size;
    tar_add_file(&tar, "a", "");
    tar_end(&tar);
    assert_int_equal(check(), ARCHIVE_TOO_MUCH);
}

static enum archive_result check_with_extension(char type, const char *records)
{
    tar.size = 0;
    tar_add(&tar, (struct tar_member){.name = "./PaxHeaders/a",
                                      .type = type,
                                      .content = bytes_of_text(records)});
    tar_add_file(&tar, "a", "content");
    tar_end(&tar);
    return check();
}

static void extensions_may_not_change_names_or_sizes(void **state)
{
    (void)state;
    assert_int_equal(check_with_extension('x', "20 mtime=1700000000\n"),
                     ARCHIVE_END);
    assert_int_equal(check_with_extension('g', "12 comment=\n"), ARCHIVE_END);
    assert_int_equal(check_with_extension('x', "13 path=../b\n"),
                     ARCHIVE_LONG_NAME);
    assert_int_equal(
        check_with_extension('x', "20 mtime=1700000000\n13 path=../b\n"),
        ARCHIVE_LONG_NAME);
    assert_int_equal(check_with_extension('g', "13 path=../b\n"),
                     ARCHIVE_LONG_NAME);
    assert_int_equal(check_with_extension('x', "9 size=9\n"),
                     ARCHIVE_LONG_NAME);
    assert_int_equal(check_with_extension('x', "24 GNU.sparse.name=x\n"),
                     ARCHIVE_LONG_NAME);
    assert_int_equal(check_with_extension('x', "garbage"), ARCHIVE_LONG_NAME);
    assert_int_equal(check_with_extension('L', "../../etc/passwd"),
                     ARCHIVE_LONG_NAME);
}

static void every_result_has_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < ARCHIVE_RESULT_COUNT; i++)
        assert_true(strlen(archive_result_text((enum archive_result)i)) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_volume_is_told_by_its_first_block),
        TEST(files_and_directories_are_read),
        TEST(what_follows_the_end_is_not_read),
        TEST(gnus_times_are_no_prefix),
        TEST(every_truncation_is_refused),
        TEST(every_damaged_byte_of_a_header_is_refused),
        TEST(names_that_lead_elsewhere_are_refused),
        TEST(only_files_and_directories_are_taken),
        TEST(a_directory_has_no_content),
        TEST(sizes_that_cannot_be_are_refused),
        TEST(there_are_limits),
        TEST(extensions_may_not_change_names_or_sizes),
        TEST(every_result_has_a_text),
    };
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
