#include "gateway/openvpn/tls/peer_verify.h"

#include "tests/unit.h"
#include "tests/vectors/pki.h"

enum {
    TODAY = 2000000000, /* 2033-05-18 */
    YEAR_2015 = 1420070400,
};

/* One verification with everything of it. */
struct trial {
    const char *authorities; /* NULL: none */
    const char *chain;
    const char *revoked;
    struct peer_rules rules;
    enum certificate_strength strength;
    uint32_t time;
    struct peer_verify result;
};

static struct trial usual(const char *chain)
{
    return (struct trial){
        .authorities = pki_ca,
        .chain = chain,
        .rules = {.peer = "server"},
        .strength = CERTIFICATE_PREFERRED,
        .time = TODAY,
    };
}

static struct certificates *read_chain(const char *text)
{
    struct certificates_result result;
    struct certificates *c = certificates_new();
    assert_non_null(c);
    if (text)
        assert_true(certificates_read(c, bytes_of_text(text), &result));
    return c;
}

static struct revocations *read_list(const char *text)
{
    char why[REVOCATIONS_WHY_SIZE];
    struct revocations *r = revocations_new();
    assert_non_null(r);
    if (text)
        assert_true(revocations_read(r, bytes_of_text(text), why));
    return r;
}

/* True if the certificate was taken. */
static bool passes(struct trial *t)
{
    struct certificates *authorities = read_chain(t->authorities);
    struct certificates *chain = read_chain(t->chain);
    struct revocations *revoked = read_list(t->revoked);
    peer_verify_init(&t->result, &t->rules, revoked, t->time);
    struct certificate_judge judge = peer_verify_judge(&t->result);
    bool good = certificates_verify(chain, authorities, revoked, t->strength,
                                    &judge, t->time);
    certificates_free(authorities);
    certificates_free(chain);
    revocations_free(revoked);
    /* A refusal has a reason, and only a refusal has. */
    assert_int_equal(good, t->result.reason[0] == 0);
    return good;
}

static void refused_because(struct trial *t, const char *reason)
{
    assert_false(passes(t));
    assert_string_equal(t->result.reason, reason);
}

static void accepted(struct trial *t)
{
    bool good = passes(t);
    assert_string_equal(t->result.reason, "");
    assert_true(good);
}

/* The chain. */

static void a_good_certificate_passes(void **state)
{
    (void)state;
    struct trial t = usual(pki_server_crt);
    accepted(&t);
    assert_string_equal(t.result.subject,
                        "C=DE, O=Example, Ltd., CN=vpn.example");
    assert_string_equal(t.result.common_name, "vpn.example");
}

static void an_intermediate_authority_passes(void **state)
{
    (void)state;
    struct trial t = usual(pki_chained_crt);
    accepted(&t);
    assert_string_equal(t.result.subject, "CN=vpn.example");
}

static void an_unknown_authority_is_named(void **state)
{
    (void)state;
    struct trial t = usual(pki_server_crt);
    t.authorities = pki_other_ca;
    refused_because(&t, "the server's certificate comes from an authority that "
                        "the profile does not trust: \"CN=Test CA\"");
    t = usual(pki_alone_crt);
    refused_because(&t,
                    "the server's certificate is signed by nobody but itself");
}

static void dates_are_judged_by_the_given_clock(void **state)
{
    (void)state;
    struct trial t = usual(pki_expired_crt);
    refused_because(&t, "the server's certificate expired on 2021-02-03 (this "
                        "machine's clock says 2033-05-18)");
    t.time = 1600000000; /* 2020-09-13 */
    accepted(&t);
    t = usual(pki_future_crt);
    refused_because(&t, "the server's certificate is not valid before "
                        "2090-06-07 (this machine's clock says 2033-05-18)");
    t.time = 3900000000; /* 2093-08-02 */
    accepted(&t);
    /* A clock that was never set: the authority's date is seen first. */
    t = usual(pki_server_crt);
    t.time = YEAR_2015;
    refused_because(&t, "the certificate of its authority \"CN=Test CA\" is "
                        "not valid before 2020-01-01 (this machine's clock "
                        "says 2015-01-01)");
}

static void a_revoked_certificate_is_refused(void **state)
{
    (void)state;
    struct trial t = usual(pki_revoked_crt);
    accepted(&t);
    t = usual(pki_revoked_crt);
    t.revoked = pki_crl;
    refused_because(&t,
                    "the server's certificate was revoked by its authority");
    t = usual(pki_server_crt);
    t.revoked = pki_crl;
    accepted(&t);
    t.time = UINT32_MAX - 1000000; /* 2106: the list is out of date as well */
    assert_false(passes(&t));
}

static void the_profile_decides_about_sha_1(void **state)
{
    (void)state;
    struct trial t = usual(pki_sha1_crt);
    refused_because(&t, "the server's certificate is signed with a hash that "
                        "tls-cert-profile does not allow (SHA-1?)");
    t.strength = CERTIFICATE_LEGACY;
    accepted(&t);
}

/* Its permitted uses. */

static void remote_cert_tls_wants_a_servers_certificate(void **state)
{
    (void)state;
    struct trial t = usual(pki_server_crt);
    t.rules.server_usage = true;
    accepted(&t);
    t.chain = pki_client_crt;
    refused_because(&t, "the server's certificate is not one of a TLS server, "
                        "remote-cert-tls server wants that");
    t.chain = pki_bare_crt;
    refused_because(&t, "the server's certificate does not say what it may be "
                        "used for, remote-cert-tls server wants that");
    t.rules = (struct peer_rules){.peer = "client", .client_usage = true};
    t.chain = pki_client_crt;
    accepted(&t);
    t.chain = pki_server_crt;
    refused_because(&t, "the client's certificate is not one of a TLS client, "
                        "remote-cert-tls client wants that");
}

static void ns_cert_type_takes_the_old_mark_or_the_new(void **state)
{
    (void)state;
    struct trial t = usual(pki_netscape_crt);
    t.rules.netscape_server = true;
    accepted(&t);
    t.chain = pki_server_crt;
    accepted(&t);
    t.chain = pki_bare_crt;
    refused_because(&t, "the server's certificate is not one of a server, "
                        "ns-cert-type wants that");
}

static void remote_cert_ku_wants_one_of_its_masks(void **state)
{
    (void)state;
    /* digitalSignature and keyEncipherment are what it has. */
    static const uint16_t good[] = {0x08, 0xa0}, bad[] = {0x04, 0xa8},
                          any[] = {PEER_KEY_USAGE_ANY};
    struct trial t = usual(pki_server_crt);
    t.rules.key_usages = good;
    t.rules.key_usage_count = 2;
    accepted(&t);
    t.rules.key_usages = bad;
    refused_because(&t, "the server's certificate has none of the key usages "
                        "that remote-cert-ku lists");
    t.rules.key_usages = any;
    t.rules.key_usage_count = 1;
    accepted(&t);
    t.chain = pki_bare_crt;
    refused_because(&t, "the server's certificate has none of the key usages "
                        "that remote-cert-ku lists");
}

static void remote_cert_eku_knows_names_and_numbers(void **state)
{
    (void)state;
    static const char *const same[] = {"TLS Web Server Authentication",
                                       "serverAuth", "1.3.6.1.5.5.7.3.1"};
    struct trial t = usual(pki_server_crt);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        t.rules.extended_usage = same[i];
        accepted(&t);
    }
    t.rules.extended_usage = "clientAuth";
    refused_because(&t, "the server's certificate lacks the extended key usage "
                        "\"clientAuth\", remote-cert-eku wants that");
    t.rules.extended_usage = "no such thing";
    assert_false(passes(&t));
}

/* Its name. */

static void names_are_compared_as_the_profile_says(void **state)
{
    (void)state;
    struct trial t = usual(pki_server_crt);
    t.rules.name_type = CONFIG_NAME_CN;
    t.rules.name = "vpn.example";
    accepted(&t);
    t.rules.name = "vpn.exampl";
    refused_because(&t, "the server's name is \"vpn.example\", the profile "
                        "wants \"vpn.exampl\"");
    t.rules.name_type = CONFIG_NAME_PREFIX;
    accepted(&t);
    t.rules.name = "www.";
    refused_because(&t, "the server's name is \"vpn.example\", the profile "
                        "wants one that starts with \"www.\"");
    t.rules.name_type = CONFIG_NAME_SUBJECT;
    t.rules.name = "C=DE, O=Example, Ltd., CN=vpn.example";
    accepted(&t);
    t.rules.name = "CN=vpn.example";
    refused_because(&t, "the server's name is \"C=DE, O=Example, Ltd., "
                        "CN=vpn.example\", the profile wants "
                        "\"CN=vpn.example\"");
    t.chain = pki_chained_crt;
    accepted(&t);
}

static void a_fingerprint_may_stand_for_everything(void **state)
{
    (void)state;
    uint8_t wrong[32] = {1}, right[32];
    memcpy(right, pki_alone_fingerprint, sizeof right);
    struct blob list[] = {{wrong, 32}, {right, 32}};
    struct trial t = usual(pki_alone_crt);
    t.authorities = NULL;
    t.rules.fingerprints = list;
    t.rules.fingerprint_count = 2;
    t.rules.fingerprint_instead = true;
    accepted(&t);
    t.time = YEAR_2015;
    accepted(&t);
    t.chain = pki_server_crt;
    assert_false(passes(&t));
    assert_non_null(strstr(
        t.result.reason, "has a fingerprint that the profile does not list: "));
    /* With an authority both must be right. */
    t = usual(pki_alone_crt);
    t.rules.fingerprints = list;
    t.rules.fingerprint_count = 2;
    assert_false(passes(&t));
}

/* The printer. */

static void dns(const void *der, size_t size, const char *expected)
{
    char out[DISTINGUISHED_NAME_SIZE];
    uint8_t *copy = exact_copy(der, size);
    bool good =
        distinguished_name_format(bytes_of(copy, size), out, sizeof out);
    free(copy);
    assert_int_equal(good, expected != NULL);
    assert_string_equal(out, expected ? expected : "");
}

/* The expected text of each is what `openssl x509 -nameopt
 * sep_comma_plus_space,sname,utf8,esc_ctrl` prints, with '_' for \XX. */
static void names_are_printed_as_openssl_does(void **state)
{
    (void)state;
    static const uint8_t set_of_two[] =
        "\x30\x21\x31\x1f\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
        "ab"
        "\x30\x12\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01\x0c\x04u+1,";
    dns(set_of_two, sizeof set_of_two - 1, "CN=ab + UID=u+1,");
    static const uint8_t unknown_oid[] =
        "\x30\x12\x31\x10\x30\x0e\x06\x08\x2b\x06\x01\x04\x01\x82\x37\x0a\x13"
        "\x02zz";
    dns(unknown_oid, sizeof unknown_oid - 1, "1.3.6.1.4.1.311.10=zz");
    static const uint8_t control[] =
        "\x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07"
        "a\0b\n\\\x7f.";
    dns(control, sizeof control - 1, "CN=a_b_\\\\_.");
    static const uint8_t bmp[] = "\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x0a"
                                 "\x1e\x06\0A\0\xe4\x20\xac";
    dns(bmp, sizeof bmp - 1, "O=A\xc3\xa4\xe2\x82\xac");
    static const uint8_t latin1[] =
        "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x14\x01\xfc";
    dns(latin1, sizeof latin1 - 1, "O=\xc3\xbc");
    static const uint8_t empty[] = "\x30\x00";
    dns(empty, sizeof empty - 1, "");
}

static void every_truncated_name_is_refused(void **state)
{
    (void)state;
    static const uint8_t name[] =
        "\x30\x1e\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"
        "abcd"
        "\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"
        "last";
    char out[COMMON_NAME_SIZE];
    assert_true(distinguished_name_common(bytes_of(name, sizeof name - 1), out,
                                          sizeof out));
    assert_string_equal(out, "last");
    dns(name, sizeof name - 1, "CN=abcd, CN=last");
    for (size_t size = 0; size < sizeof name - 1; size++)
        dns(name, size, NULL);
    char narrow[8];
    assert_false(distinguished_name_format(bytes_of(name, sizeof name - 1),
                                           narrow, sizeof narrow));
    assert_string_equal(narrow, "");
}

/* A CN with a NUL inside must not pass for what stands in front of it. */
static void a_nul_in_a_name_does_not_end_it(void **state)
{
    (void)state;
    static const uint8_t name[] =
        "\x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07"
        "vpn\0bad";
    char out[COMMON_NAME_SIZE];
    assert_true(distinguished_name_common(bytes_of(name, sizeof name - 1), out,
                                          sizeof out));
    assert_string_equal(out, "vpn_bad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_certificate_passes),
        cmocka_unit_test(an_intermediate_authority_passes),
        cmocka_unit_test(an_unknown_authority_is_named),
        cmocka_unit_test(dates_are_judged_by_the_given_clock),
        cmocka_unit_test(a_revoked_certificate_is_refused),
        cmocka_unit_test(the_profile_decides_about_sha_1),
        cmocka_unit_test(remote_cert_tls_wants_a_servers_certificate),
        cmocka_unit_test(ns_cert_type_takes_the_old_mark_or_the_new),
        cmocka_unit_test(remote_cert_ku_wants_one_of_its_masks),
        cmocka_unit_test(remote_cert_eku_knows_names_and_numbers),
        cmocka_unit_test(names_are_compared_as_the_profile_says),
        cmocka_unit_test(a_fingerprint_may_stand_for_everything),
        cmocka_unit_test(names_are_printed_as_openssl_does),
        cmocka_unit_test(every_truncated_name_is_refused),
        cmocka_unit_test(a_nul_in_a_name_does_not_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
