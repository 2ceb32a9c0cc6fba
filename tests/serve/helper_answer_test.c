/* The answers of the program that judges passwords. */
#include "gateway/serve/helper_answer.h"

#include "tests/unit.h"

static void says(const char *text, enum helper_answer_verdict verdict,
                 const char *reason)
{
    struct helper_answer a;
    uint8_t *exact = exact_copy(text, strlen(text));
    helper_answer_read(bytes_of(exact, strlen(text)), &a);
    free(exact);
    assert_int_equal(a.verdict, verdict);
    assert_string_equal(a.reason, reason);
}

static void verdicts_are_told_apart(void **state)
{
    (void)state;
    says("{\"good\": true}\n", HELPER_ANSWER_GOOD, "");
    says("{\"good\": true, \"reason\": \"x\"}", HELPER_ANSWER_GOOD, "");
    says("{\"good\": false}", HELPER_ANSWER_BAD, "");
    says("{\"good\": false, \"reason\": \"CRV1:R,E:x:y:PIN?\"}",
         HELPER_ANSWER_BAD, "CRV1:R,E:x:y:PIN?");
    says("{\"good\": false, \"later\": true}", HELPER_ANSWER_LATER, "");
    says("{\"good\": true, \"later\": true}", HELPER_ANSWER_GOOD, "");
}

static void anything_else_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "true",
                                        "{\"good\": 1}",
                                        "{\"good\": \"true\"}",
                                        "[1]",
                                        "{}",
                                        "\x80",
                                        "{\"good\": tr",
                                        "{\"later\": true}",
                                        "{\"good\": true, \"good\": false}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        says(texts[i], HELPER_ANSWER_NONE, "");
}

static void what_cannot_be_said_is_left_out(void **state)
{
    (void)state;
    says("{\"good\": false, \"reason\": \"two\\nlines\"}", HELPER_ANSWER_BAD,
         "");
    says("{\"good\": false, \"reason\": \"a\\u0000b\"}", HELPER_ANSWER_NONE,
         "");
    says("{\"good\": false, \"reason\": 7}", HELPER_ANSWER_BAD, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_told_apart),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(what_cannot_be_said_is_left_out),
    };
    return cmocka_run_group_tests_name("helper_answer", tests, NULL, NULL);
}
