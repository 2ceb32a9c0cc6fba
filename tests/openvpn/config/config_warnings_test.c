/* Lines that openvpn takes and that mean nothing here, or not all that they
 * say: the profile is usable, and a warning says what is left out. */
#include "tests/openvpn/config/config_trial.h"
#include "tests/unit.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { LINE = 4 }; /* of the first that config_trial_with() adds */

/* Usable with that warning about the first line, or without a word. */
static void taken(const char *lines, const char *warning)
{
    struct config_trial t = {0};
    config_trial_with(&t, lines);
    bool good = t.usable;
    if (warning)
        good = good && config_trial_said(&t, CONFIG_WARNING, LINE, warning);
    else
        good = good && t.count == 0;
    if (!good) {
        config_trial_print(&t);
        fail_msg("%s: wanted %s", lines, warning ? warning : "no word");
    }
    config_trial_clear(&t);
}

struct line {
    const char *text, *warning; /* NULL: none */
};

static void take_all(const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        taken(lines[i].text, lines[i].warning);
}

static void names_and_resolvers_of_every_spelling_are_taken(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"dhcp-option DOMAIN-ROUTE .", NULL},
        {"dhcp-option DOMAIN-ROUTE ~.", NULL},
        {"dhcp-option DOMAIN-ROUTE .corp", NULL},
        {"dhcp-option DOMAIN ~.", NULL},
        {"dhcp-option DOMAIN .", NULL},
        {"dhcp-option DOMAIN .corp", NULL},
        {"dhcp-option DOMAIN-SEARCH ~corp.example", NULL},
        {"dhcp-option DNS 1.1.1.1#name.example", "without TLS"},
        {"dhcp-option DNS name.example", "`dhcp-option DNS name.example' is"},
        {"dhcp-option DNS", "malformed and ignored"},
        {"dhcp-option DOMAIN a/b", "malformed and ignored"},
        {"dns server 1 resolve-domains .", NULL},
        {"dns search-domains . corp", NULL},
        {"dns server 1 address name", "malformed and ignored"},
        {"dns everything 1", "malformed and ignored"},
    };
    take_all(lines, COUNT(lines));
}

static void what_a_server_could_push_is_never_fatal(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"route name.example 255.0.0.0", "to a name is not made"},
        {"route 10.0.0.0 255.0.0.1", "malformed and ignored"},
        {"route 10.0.0.0 255.0.0.0 gate", "malformed and ignored"},
        {"route 10.0.0.0 255.0.0.0 vpn_gateway x", "malformed and ignored"},
        {"route-ipv6 rubbish", "malformed and ignored"},
        {"route-ipv6 fd00::/300", "malformed and ignored"},
        {"route-ipv6 fd00::/64 rubbish", "malformed and ignored"},
        {"route-ipv6 fd00::/64 ::1 rubbish", "malformed and ignored"},
        {"route-ipv6 fd00::/64 ::1 5 rubbish", "the rest of the line"},
        {"route-gateway rubbish", "malformed and ignored"},
        {"route-metric rubbish", "malformed and ignored"},
        {"redirect-gateway rubbish", "malformed and ignored"},
        {"topology ring", "malformed and ignored"},
        {"ifconfig a b", "malformed and ignored"},
        {"ifconfig-ipv6 a b", "malformed and ignored"},
    };
    take_all(lines, COUNT(lines));
}

static void more_words_than_wanted_do_not_undo_a_line(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "block-ipv6 please");
    assert_true(t.usable);
    assert_int_equal(t.count, 1);
    assert_true(config_trial_said(&t, CONFIG_WARNING, LINE, "the rest"));
    assert_int_equal(t.config.option_count, 1);
    config_trial_clear(&t);
}

static void without_a_pull_an_address_must_be_one(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_parse(&t, "tls-client\ndev tun\nremote vpn.example\n"
                           "ifconfig a b\nauth-user-pass\n"
                           "remote-cert-tls server\n<ca>\n" //
                       CONFIG_TRIAL_CERTIFICATE "</ca>\n");
    assert_false(t.usable);
    assert_true(config_trial_said(&t, CONFIG_ERROR, 0, "no `ifconfig'"));
    config_trial_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_resolvers_of_every_spelling_are_taken),
        cmocka_unit_test(what_a_server_could_push_is_never_fatal),
        cmocka_unit_test(more_words_than_wanted_do_not_undo_a_line),
        cmocka_unit_test(without_a_pull_an_address_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
