/* A file that is written as a whole, by renaming or in place. */
#include "gateway/serve/written_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit.h"

struct fixture {
    char folder[32];
    char path[64];
};

static int set_up(void **state)
{
    static struct fixture f;
    strcpy(f.folder, "/tmp/written-file-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.path, sizeof f.path, "%s/status", f.folder);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(rmdir(f->folder), 0); /* nothing else was left */
    return 0;
}

static void holds(const char *path, const char *text)
{
    char content[64] = "";
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, content, sizeof content - 1);
    close(fd);
    assert_true(n >= 0);
    assert_string_equal(content, text);
}

static void put(struct written_file *f, const char *text)
{
    assert_true(written_file_write(f, bytes_of_text(text)));
}

/* A reader that has it open goes on reading what was there. */
static void a_reader_sees_the_old_or_the_new_one(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    char old[16] = "";
    assert_true(written_file_open(&f, x->path, true));
    put(&f, "first");
    chmod(x->path, 0640);
    int reader = open(x->path, O_RDONLY);
    put(&f, "2nd");
    assert_int_equal(read(reader, old, sizeof old - 1), 5);
    assert_string_equal(old, "first");
    close(reader);
    holds(x->path, "2nd");
    struct stat s;
    assert_int_equal(stat(x->path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0640);
    char *directory = written_file_directory(&f);
    assert_string_equal(directory, x->folder);
    free(directory);
    written_file_close(&f);
}

static void what_a_killed_run_left_is_taken_away(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    char left[80];
    snprintf(left, sizeof left, "%s.new", x->path);
    assert_int_equal(symlink("/dev/null", left), 0);
    assert_true(written_file_open(&f, x->path, true));
    put(&f, "text");
    holds(x->path, "text");
    assert_int_equal(access(left, F_OK), -1);
    written_file_close(&f);
}

static void in_place_a_shorter_text_leaves_nothing_of_the_longer(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    assert_true(written_file_open(&f, x->path, false));
    assert_null(written_file_directory(&f));
    put(&f, "a long one");
    put(&f, "short");
    holds(x->path, "short");
    written_file_close(&f);
}

/* A link stays one, and what it leads to is replaced. */
static void a_link_is_followed(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    char link[80];
    snprintf(link, sizeof link, "%s/link", x->folder);
    assert_int_equal(symlink(x->path, link), 0);
    assert_true(written_file_open(&f, link, true));
    put(&f, "text");
    holds(x->path, "text");
    struct stat s;
    assert_int_equal(lstat(link, &s), 0);
    assert_true(S_ISLNK(s.st_mode));
    written_file_close(&f);
    unlink(link);
}

static void a_device_stays_one(void **state)
{
    (void)state;
    struct written_file f;
    assert_true(written_file_open(&f, "/dev/null", true));
    assert_null(written_file_directory(&f));
    put(&f, "text");
    written_file_close(&f);
    struct stat s;
    assert_int_equal(stat("/dev/null", &s), 0);
    assert_true(S_ISCHR(s.st_mode));
}

/* As /dev/stdout is one, where that is a pipe: its name leads nowhere. */
static void what_has_no_name_is_written_as_it_is(void **state)
{
    (void)state;
    struct written_file f;
    char path[32], content[16] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    assert_true(written_file_open(&f, path, true));
    assert_null(written_file_directory(&f));
    put(&f, "text");
    assert_int_equal(read(ends[0], content, sizeof content - 1), 4);
    assert_string_equal(content, "text");
    written_file_close(&f);
    close(ends[0]);
    close(ends[1]);
}

/* Anybody may have put it there: /tmp is a usual place of status files. */
static void where_the_new_one_cannot_be_made_it_is_in_place(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    char taken[80];
    snprintf(taken, sizeof taken, "%s.new", x->path);
    assert_true(written_file_open(&f, x->path, true));
    put(&f, "before");
    assert_int_equal(mkdir(taken, 0700), 0);
    put(&f, "then");
    holds(x->path, "then");
    written_file_close(&f);
    assert_int_equal(rmdir(taken), 0);
}

static void a_long_name_is_in_place(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    char path[300];
    snprintf(path, sizeof path, "%s/%0255d", x->folder, 0);
    assert_true(written_file_open(&f, path, true));
    put(&f, "text");
    holds(path, "text");
    written_file_close(&f);
    unlink(path);
}

static void a_full_disk_leaves_the_old_one(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    assert_true(written_file_open(&f, x->path, true));
    put(&f, "old");
    free(f.fresh); /* as on a disk where nothing new can be made */
    assert_true(asprintf(&f.fresh, "%s/none/new", x->folder) > 0);
    assert_false(written_file_write(&f, bytes_of_text("new")));
    assert_int_equal(errno, ENOENT);
    holds(x->path, "old");
    written_file_close(&f);
}

static void what_cannot_be_opened_is_told(void **state)
{
    struct fixture *x = *state;
    struct written_file f;
    char path[80];
    snprintf(path, sizeof path, "%s/none/status", x->folder);
    assert_false(written_file_open(&f, path, true));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(f.fd, -1);
    assert_false(written_file_open(&f, x->folder, true));
    assert_int_equal(errno, EISDIR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_sees_the_old_or_the_new_one),
        TEST(what_a_killed_run_left_is_taken_away),
        TEST(in_place_a_shorter_text_leaves_nothing_of_the_longer),
        TEST(a_link_is_followed),
        TEST(a_device_stays_one),
        TEST(what_has_no_name_is_written_as_it_is),
        TEST(where_the_new_one_cannot_be_made_it_is_in_place),
        TEST(a_long_name_is_in_place),
        TEST(a_full_disk_leaves_the_old_one),
        TEST(what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests_name("written_file", tests, NULL, NULL);
}
