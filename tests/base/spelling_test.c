/* The nearest name to a misspelt one. */
#include "gateway/base/spelling.h"

#include "tests/unit.h"

static const char *nearest(const char *word)
{
    static const char *const names[] = {"status", "stop", "settings", "serve",
                                        "reconnect"};
    struct spelling s = spelling_of(word);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        spelling_offer(&s, names[i]);
    return s.nearest ? s.nearest : "none";
}

static void a_slip_is_found(void **state)
{
    (void)state;
    assert_string_equal(nearest("statsu"), "status");
    assert_string_equal(nearest("stauts"), "status");
    assert_string_equal(nearest("reconect"), "reconnect");
    assert_string_equal(nearest("setting"), "settings");
    assert_string_equal(nearest("status"), "status");
}

static void another_word_is_not(void **state)
{
    char longest[200];
    (void)state;
    memset(longest, 's', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(nearest("apply"), "none");
    assert_string_equal(nearest("x"), "none");
    assert_string_equal(nearest(""), "none");
    assert_string_equal(nearest(longest), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_is_found),
        cmocka_unit_test(another_word_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
