/* The hash that a password is compared with, also for a name that is not
 * there. */
#include "gateway/serve/user_hashes.h"

#include <stdio.h>

#include "tests/unit.h"

static const struct siphash_key key = {1, 2};

static void read_all(struct user_hashes *h, const char *name,
                     const char *const *lines)
{
    user_hashes_start(h, &key, name);
    for (; *lines; lines++)
        user_hashes_take(h, bytes_of_text(*lines));
}

static const char *const users[] = {
    "# names and hashes",
    "",
    "anna:$6$salt$aaaa",
    "  bert:$6$salt$bbbb  \n",
    "anna:$6$salt$later",
    "rest:",
    "nobody",
    "gone:!$6$salt$cccc",
    "none:*",
    NULL,
};

static void the_first_line_of_a_name_counts(void **state)
{
    (void)state;
    struct user_hashes h;
    read_all(&h, "anna", users);
    assert_true(h.known);
    assert_string_equal(h.hash, "$6$salt$aaaa");
    read_all(&h, "bert", users);
    assert_true(h.known);
    assert_string_equal(h.hash, "$6$salt$bbbb");
}

/* No password is right, and the file's hash is made all the same. */
static void a_name_that_is_not_there_costs_as_much(void **state)
{
    (void)state;
    static const char *const names[] = {"carl", "",     "ann",  "annaa", "#",
                                        "rest", "gone", "none", "nobody"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct user_hashes h;
        read_all(&h, names[i], users);
        assert_false(h.known);
        assert_int_equal(strncmp(h.hash, "$6$salt$", 8), 0);
    }
}

static void without_hashes_one_of_ours_is_made(void **state)
{
    (void)state;
    static const char *const none[] = {"# nobody yet", NULL};
    struct user_hashes h;
    read_all(&h, "anna", none);
    assert_false(h.known);
    assert_int_equal(strncmp(h.hash, "$y$", 3), 0);
    read_all(&h, "anna", users);
    user_hashes_fall_back(&h);
    assert_false(h.known);
    assert_int_equal(strncmp(h.hash, "$y$", 3), 0);
}

/* Asked again it is the same one, also when others join; other names have
 * others, of each kind that there is. */
static void a_name_keeps_its_hash(void **state)
{
    (void)state;
    static const char *const mixed[] = {"a:$6$a", "b:$y$b", "c:$2b$c", NULL};
    unsigned seen[3] = {0};
    for (unsigned i = 0; i < 300; i++) {
        struct user_hashes one, two;
        char name[16];
        snprintf(name, sizeof name, "user%u", i);
        read_all(&one, name, mixed);
        read_all(&two, name, mixed);
        assert_string_equal(one.hash, two.hash);
        seen[one.hash[1] == '6' ? 0 : one.hash[1] == 'y' ? 1 : 2]++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(seen[i], 60, 140);
}

static void a_line_that_is_too_long_is_none(void **state)
{
    (void)state;
    char line[USER_HASHES_SIZE + 8];
    struct user_hashes h;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = 0;
    memcpy(line, "anna:", 5);
    user_hashes_start(&h, &key, "anna");
    user_hashes_take(&h, bytes_of_text(line));
    assert_false(h.known);
    line[5 + USER_HASHES_SIZE - 1] = 0;
    user_hashes_take(&h, bytes_of_text(line));
    assert_true(h.known);
    assert_int_equal(strlen(h.hash), USER_HASHES_SIZE - 1);
    user_hashes_clear(&h);
    assert_int_equal(h.hash[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_of_a_name_counts),
        cmocka_unit_test(a_name_that_is_not_there_costs_as_much),
        cmocka_unit_test(without_hashes_one_of_ours_is_made),
        cmocka_unit_test(a_name_keeps_its_hash),
        cmocka_unit_test(a_line_that_is_too_long_is_none),
    };
    return cmocka_run_group_tests_name("user_hashes", tests, NULL, NULL);
}
