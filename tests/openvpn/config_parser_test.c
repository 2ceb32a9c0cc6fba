#include "tests/openvpn/config_trial.h"
#include "tests/unit.h"

static void a_minimal_profile_is_usable(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "");
    if (!t.usable)
        config_trial_print(&t);
    assert_true(t.usable);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.config.remote_count, 1);
    assert_string_equal(t.config.remotes[0].host, "vpn.example.org");
    assert_int_equal(t.config.remotes[0].port, 1194);
    assert_true(t.config.pull);
    assert_true(t.config.auth_user_pass);
    assert_null(t.config.username);
    assert_string_equal(t.config.path, "t.ovpn");
    config_trial_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minimal_profile_is_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
