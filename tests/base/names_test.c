/* The tables of names: drop reasons, errors, states of the VPN. */
#include <ctype.h>
#include <errno.h>

#include "gateway/base/drop.h"
#include "gateway/base/error.h"
#include "gateway/base/vpn_state.h"
#include "tests/unit.h"

static void every_drop_reason_has_its_own_name_and_text(void **state)
{
    (void)state;
    assert_string_equal(drop_name(DROP_NONE), "NONE");
    assert_string_equal(drop_text(DROP_NONE), "");
    for (enum drop a = DROP_NONE + 1; a < DROP_COUNT; a++) {
        assert_non_null(drop_name(a));
        assert_non_null(strstr(drop_text(a), ": ")); /* who: why */
        for (enum drop b = DROP_NONE; b < a; b++) {
            assert_string_not_equal(drop_name(a), drop_name(b));
            assert_string_not_equal(drop_text(a), drop_text(b));
        }
    }
    assert_string_equal(drop_name(DROP_CONTROL_REPLAY), "CONTROL_REPLAY");
}

static void words_of_a_drop_are_for_a_table(void **state)
{
    (void)state;
    static const struct {
        enum drop reason;
        const char *words;
    } cases[] = {
        {DROP_RULE, "rule"},
        {DROP_NO_IPV6, "no IPv6"},
        {DROP_IP_OPTIONS, "IP options"},
        {DROP_LINK_NO_MAC, "link no MAC"},
        {DROP_TTL, "TTL"},
        {DROP_TUNNEL_DOWN, "not connected"},
    };
    char words[DROP_WORDS_SIZE], others[DROP_WORDS_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(drop_words(cases[i].reason, words), cases[i].words);
    for (enum drop a = DROP_NONE; a < DROP_COUNT; a++)
        for (enum drop b = DROP_NONE; b < a; b++)
            assert_string_not_equal(drop_words(a, words),
                                    drop_words(b, others));
}

static void drops_are_counted_by_reason(void **state)
{
    (void)state;
    struct drop_counters counters = {0};
    drop_count(&counters, DROP_RULE);
    drop_count(&counters, DROP_RULE);
    drop_count(&counters, DROP_UPLINK_TOO_BIG);
    for (enum drop d = DROP_NONE; d < DROP_COUNT; d++)
        assert_int_equal(counters.count[d], d == DROP_RULE             ? 2
                                            : d == DROP_UPLINK_TOO_BIG ? 1
                                                                       : 0);
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    for (enum error a = OK; a < ERROR_COUNT; a++) {
        assert_true(islower((unsigned char)*error_text(a)));
        for (enum error b = OK; b < a; b++)
            assert_string_not_equal(error_text(a), error_text(b));
    }
}

static void every_state_is_found_by_its_name(void **state)
{
    (void)state;
    enum vpn_state found = VPN_STATE_COUNT;
    for (enum vpn_state s = 0; s < VPN_STATE_COUNT; s++) {
        assert_true(vpn_state_of(vpn_state_name(s), &found));
        assert_int_equal(found, s);
    }
    assert_false(vpn_state_of("up", &found));
    assert_false(vpn_state_of("", &found));
    assert_false(vpn_state_of(NULL, &found));
    assert_string_equal(vpn_state_name(VPN_STATE_COUNT), "?");
}

static void no_errno_is_ok(void **state)
{
    (void)state;
    for (int number = 0; number < 200; number++)
        assert_int_not_equal(error_of_errno(number), OK);
    assert_int_equal(error_of_errno(ENOENT), ERROR_NOT_FOUND);
    assert_int_equal(error_of_errno(ENETUNREACH), ERROR_UNREACHABLE);
    assert_int_equal(error_of_errno(EPERM), ERROR_DENIED);
    assert_int_equal(error_of_errno(EAGAIN), ERROR_BUSY);
    assert_int_equal(error_of_errno(ENOMEM), ERROR_MEMORY);
    assert_int_equal(error_of_errno(EIO), ERROR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_drop_reason_has_its_own_name_and_text),
        cmocka_unit_test(words_of_a_drop_are_for_a_table),
        cmocka_unit_test(drops_are_counted_by_reason),
        cmocka_unit_test(every_error_has_a_text),
        cmocka_unit_test(every_state_is_found_by_its_name),
        cmocka_unit_test(no_errno_is_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
