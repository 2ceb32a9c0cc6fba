/* Lines that openvpn takes and that mean nothing here, or not all that they
 * say: the profile is usable, and a warning says what is left out. */
#include <stdio.h>

#include "gateway/base/text.h"
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

static void limits_are_as_lenient_as_openvpns(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"inactive 99999999999", "is read as 4294967295"},
        {"inactive 3600 99999999999", NULL},
        {"inactive 3600 rubbish", "is ignored"},
        {"reneg-sec -1", "is read as 0"},
        {"reneg-sec 0", NULL},
        {"reneg-sec 0003600", NULL},
        {"reneg-sec hourly", "is ignored"},
        {"reneg-bytes -1", "is read as 0"},
        {"reneg-bytes 99999999999999999999999", "is read as 922337"},
        {"reneg-pkts -1", "is read as 0"},
        {"connect-retry -1", "is ignored"},
        {"connect-retry 0", "is ignored"},
        {"connect-retry 5 0", "is ignored"},
        {"connect-retry-max -1", "is read as 0"},
        {"connect-retry-max rubbish", "is ignored"},
        {"connect-timeout 0", "is ignored"},
        {"server-poll-timeout -1", "is ignored"},
        {"hand-window 0", "is ignored"},
        {"tran-window rubbish", "is ignored"},
        {"tls-timeout -1", "is ignored"},
        {"ping 10s", "is ignored"},
        {"ping 999999", "is read as 86400"},
        {"ping-restart -1", "is read as 0"},
        {"ping-exit rubbish", "is ignored"},
        {"keepalive 10 120s", "is ignored"},
        {"session-timeout 99999999999", "is read as 4294967295"},
        {"explicit-exit-notify 999", "is read as 100"},
        {"max-packet-size 9999", "is read as 2048"},
        {"mssfix rubbish", "is ignored"},
        {"static-challenge Code 2", "is read as 1"},
    };
    take_all(lines, COUNT(lines));
}

static void what_is_ignored_leaves_the_default(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "connect-retry 0\nconnect-timeout 0\nreneg-sec x\n"
                          "keepalive 10 999999\nreneg-bytes -1\n"
                          "inactive 7 99999999999");
    const struct config *c = &t.config;
    assert_true(t.usable);
    assert_int_equal(c->connect_retry, 1);
    assert_int_equal(c->remotes[0].connect_timeout, 120);
    assert_int_equal(c->reneg_seconds, 3600);
    assert_int_equal(c->ping, 10);
    assert_int_equal(c->ping_restart, 86400);
    assert_int_equal(c->reneg_bytes, 0);
    assert_int_equal(c->inactive_bytes, 99999999999);
    config_trial_clear(&t);
}

static void what_would_never_be_used_may_be_unknown(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"cipher RUBBISH-256", "`cipher RUBBISH-256' will never be used"},
        {"cipher none", "will never be used"},
        {"auth RUBBISH", "nothing uses it"},
        {"providers default legacy", "OpenSSL's"},
        {"engine dynamic", "no foreign code"},
        {"x509-username-field CN", NULL},
    };
    take_all(lines, COUNT(lines));
    static const char *const used[] = {
        "auth RUBBISH\ncipher AES-256-CBC",
        "auth RUBBISH\ndata-ciphers AES-256-GCM:AES-128-CBC",
        "auth RUBBISH\ndata-ciphers-fallback AES-128-CBC",
        "auth RUBBISH\n<tls-auth>\n" CONFIG_TRIAL_STATIC_KEY "</tls-auth>",
        "x509-username-field OU",
    };
    for (size_t i = 0; i < COUNT(used); i++) {
        struct config_trial t = {0};
        config_trial_with(&t, used[i]);
        if (t.usable)
            fail_msg("taken: %s", used[i]);
        assert_int_equal(t.reports[0].line, LINE);
        config_trial_clear(&t);
    }
}

static void key_usages_may_be_written_as_numbers_of_c(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "remote-cert-ku 0x00e0 0XA0 000000a0 88");
    static const uint16_t expected[] = {0xe0, 0xa0, 0xa0, 0x88};
    assert_true(t.usable);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.config.remote_cert_ku_count, COUNT(expected));
    assert_memory_equal(t.config.remote_cert_ku, expected, sizeof expected);
    config_trial_clear(&t);
    static const char *const wrong[] = {"0x", "10000", "x", "0xg"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char line[64];
        snprintf(line, sizeof line, "remote-cert-ku %s", wrong[i]);
        config_trial_with(&t, line);
        assert_false(t.usable);
        config_trial_clear(&t);
    }
}

static void a_direction_may_stand_in_front_of_its_block(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "tls-auth [inline] 1\n<tls-auth>\n" //
                      CONFIG_TRIAL_STATIC_KEY "</tls-auth>");
    assert_true(t.usable);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.config.remotes[0].wrap, CONFIG_WRAP_TLS_AUTH);
    assert_int_equal(t.config.remotes[0].key_direction, 1);
    config_trial_clear(&t);
    config_trial_with(&t, "tls-auth [inline] 2");
    assert_false(t.usable);
    config_trial_clear(&t);
    config_trial_with(&t, "crl-verify [inline]");
    assert_false(t.usable);
    assert_non_null(strstr(t.reports[0].text, "no block <crl-verify>"));
    config_trial_clear(&t);
}

static void ports_may_be_names_of_services(void **state)
{
    (void)state;
    struct config_trial t = {0};
    config_trial_with(&t, "remote a.example https tcp\nremote b.example\n"
                          "port openvpn\nlport openvpn\n"
                          "socks-proxy p.example socks");
    assert_true(t.usable);
    assert_int_equal(t.config.remotes[1].port, 443);
    assert_int_equal(t.config.remotes[2].port, 1194);
    assert_int_equal(t.config.remotes[2].proxy.port, 1080);
    config_trial_clear(&t);
}

/* --- PEM ----------------------------------------------------------------- */

/* The certificate of the trial, with `behind` at the end of its lines and
 * `label` in the place of CERTIFICATE. */
static void take_certificate(const char *behind, const char *label)
{
    char text[4096] = "<extra-certs>\n";
    struct bytes rest = bytes_of_text(CONFIG_TRIAL_CERTIFICATE), line;
    while (text_cut(&rest, '\n', &line) && rest.data) {
        size_t used = strlen(text);
        const char *dashes =
            line.data[0] == '-' ? strchr((const char *)line.data, ' ') : NULL;
        if (dashes)
            snprintf(text + used, sizeof text - used, "%.*s %s-----%s\n",
                     (int)(dashes - (const char *)line.data),
                     (const char *)line.data, label, behind);
        else
            snprintf(text + used, sizeof text - used, "%.*s%s\n",
                     (int)line.size, (const char *)line.data, behind);
    }
    strcat(text, "</extra-certs>");
    taken(text, NULL);
}

static void certificates_of_every_style_are_read(void **state)
{
    (void)state;
    take_certificate("", "CERTIFICATE");
    take_certificate(" ", "CERTIFICATE");
    take_certificate(" \t  \r", "CERTIFICATE");
    take_certificate("", "X509 CERTIFICATE");
    take_certificate("\t", "TRUSTED CERTIFICATE");
}

/* --- Keys ---------------------------------------------------------------- */

#define V2_KEY                                                                 \
    "-----BEGIN OpenVPN tls-crypt-v2 client key-----\n"                        \
    "FQMLRjfPP9SpuDPl1s5QVgkJdBPdWMbTQdAfb8xko0k5FcBs/MTbEMX4KKFPOol8\n"       \
    "z0OHRKjxCOmcOd51MmiMJhV/knDAKH+nciSIthfziOUI54DZcHBov9jHFTToovoN\n"       \
    "TPAFBQn2D/ZT64efRr7H63HZiK9mtkBZoD8anB1cG53pxsDn1NScT43XHHOehpmK\n"       \
    "P0m2vWIBEPvWSsTlxQF7I+I0yQ3LFI2wDMkrv9EIgkbkbYJTnU0EupCYJiyq9Nm2\n"       \
    "pyVLXREod0wd7z6BTS2kTqUYzGuyr7A1pLVJkKKC62pXY/Sc0sd4ocdM6FqtKbLJ\n"       \
    "ZB8y11aPOQFDOoAuRYvqAdmjkQ6iQ+e8m0833OHwA8iwiNHl6jTawOhKLNDr+3PP\n"       \
    "1Mfn3OOMiXAfyvOerC+FOoN/SSB2FwbjrT1C6Jbw2+XKvQH2NZ7UC6Uy8aB62dPs\n"       \
    "b9pD48SLxiDGjtN5A56P4Q3AE1c8iGy+kKJ/lbBaDXYutEHrV+cKfDdjkYq+rt58\n"       \
    "9y2YE0Ko4FXom6Pu0O88X+4jy6Zscs0AeWyqElUUoyhhp24O4ZNiB/hGXK2DVRy2\n"       \
    "lg12MOFhVMxdskDyoeSpNRvAY+voNBublGwl5fnkOq2SGsNqp+4aA9klZa2JQ2Il\n"       \
    "ZVTGC8z7a0wBN+s9T5mOnGuJcezIF/e4KmrP0Db+G8FBUaVuwVXT8RBUJQZfpAET\n"       \
    "vYet1whmBk3k7VhNtrUL6k/aXzDKI1/qFAEr\n"                                   \
    "-----END OpenVPN tls-crypt-v2 client key-----\n"

/* `key` without its line number `gone`, or with a letter in it that is no
 * digit. */
static void damage(const char *key, const char *option, unsigned gone)
{
    char text[4096];
    int used = snprintf(text, sizeof text, "<%s>\n", option);
    struct bytes rest = bytes_of_text(key), line;
    for (unsigned i = 0; text_cut(&rest, '\n', &line) && rest.data; i++)
        if (i != gone)
            used += snprintf(text + used, sizeof text - (size_t)used, "%.*s\n",
                             (int)line.size, (const char *)line.data);
    snprintf(text + used, sizeof text - (size_t)used, "</%s>", option);
    struct config_trial t = {0};
    config_trial_with(&t, text);
    if (t.usable || !config_trial_said(&t, CONFIG_ERROR, LINE, "damaged"))
        fail_msg("taken: %s", text);
    config_trial_clear(&t);
}

static void a_damaged_key_is_found_when_it_is_read(void **state)
{
    (void)state;
    taken("<tls-crypt-v2>\n" V2_KEY "</tls-crypt-v2>", NULL);
    taken("<tls-crypt>\n" CONFIG_TRIAL_STATIC_KEY "</tls-crypt>", NULL);
    for (unsigned gone = 1; gone < 18; gone++) {
        damage(CONFIG_TRIAL_STATIC_KEY, "tls-auth", gone);
        damage(CONFIG_TRIAL_STATIC_KEY, "tls-crypt", gone);
    }
    for (unsigned gone = 1; gone < 13; gone++)
        damage(V2_KEY, "tls-crypt-v2", gone);
    damage("-----BEGIN OpenVPN Static key V1-----\nzz\n" CONFIG_TRIAL_KEY_LINES
           "-----END OpenVPN Static key V1-----\n",
           "tls-auth", 99);
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
        cmocka_unit_test(limits_are_as_lenient_as_openvpns),
        cmocka_unit_test(what_is_ignored_leaves_the_default),
        cmocka_unit_test(what_would_never_be_used_may_be_unknown),
        cmocka_unit_test(key_usages_may_be_written_as_numbers_of_c),
        cmocka_unit_test(a_direction_may_stand_in_front_of_its_block),
        cmocka_unit_test(ports_may_be_names_of_services),
        cmocka_unit_test(certificates_of_every_style_are_read),
        cmocka_unit_test(a_damaged_key_is_found_when_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
