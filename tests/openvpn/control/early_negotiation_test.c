#include "gateway/openvpn/control/early_negotiation.h"

#include "tests/unit.h"

/* As seen from OpenVPN 2.6 and 2.8. */
static const uint8_t resend_wkc[] = {0, 1, 0, 2, 0, 1};

static bool parse(const void *data, size_t size, struct early_negotiation *out)
{
    return early_negotiation_parse(bytes_of(data, size), out);
}

#define PARSE(vector, out) parse(vector, sizeof vector, out)

static void nothing_said_is_right(void **state)
{
    (void)state;
    struct early_negotiation said = {.resend_wkc = true};
    assert_true(parse(NULL, 0, &said));
    assert_false(said.resend_wkc);
}

static void the_flag_is_read_and_written(void **state)
{
    (void)state;
    struct early_negotiation said = {0};
    assert_true(PARSE(resend_wkc, &said));
    assert_true(said.resend_wkc);

    uint8_t again[16];
    struct writer w = writer_of(again, sizeof again);
    early_negotiation_write(&w, &said);
    assert_bytes_equal(writer_bytes(&w),
                       bytes_of(resend_wkc, sizeof resend_wkc));

    w = writer_of(again, sizeof again);
    early_negotiation_write(&w, &(struct early_negotiation){0});
    assert_int_equal(w.size, 0);
}

static void other_flags_and_types_are_skipped(void **state)
{
    (void)state;
    static const uint8_t other_flag[] = {0, 1, 0, 2, 0xff, 0xfe};
    static const uint8_t other_type[] = {0, 9, 0, 3, 1, 1, 1, 0, 1,
                                         0, 2, 0, 1, 8, 0, 0, 0};
    struct early_negotiation said = {.resend_wkc = true};
    assert_true(PARSE(other_flag, &said));
    assert_false(said.resend_wkc);
    assert_true(PARSE(other_type, &said));
    assert_true(said.resend_wkc);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t size = 1; size < sizeof resend_wkc; size++) {
        uint8_t *copy = exact_copy(resend_wkc, size);
        struct early_negotiation said;
        assert_false(parse(copy, size, &said));
        free(copy);
    }
}

static void flags_of_another_length_are_refused(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0, 1, 0, 0};
    static const uint8_t shorter[] = {0, 1, 0, 1, 1};
    static const uint8_t longer[] = {0, 1, 0, 3, 0, 1, 0};
    struct early_negotiation said;
    assert_false(PARSE(empty, &said));
    assert_false(PARSE(shorter, &said));
    assert_false(PARSE(longer, &said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_is_right),
        cmocka_unit_test(the_flag_is_read_and_written),
        cmocka_unit_test(other_flags_and_types_are_skipped),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flags_of_another_length_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
