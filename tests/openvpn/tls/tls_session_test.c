#include "gateway/openvpn/tls/tls_session.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/keys/key_derivation.h"
#include "tests/library.h"
#include "tests/unit.h"
#include "tests/vectors/odd_pki.h"
#include "tests/vectors/pki.h"

enum { TODAY = 2000000000 };

static char logged[4096];

static void keep_log(void *context, enum log_level level, const char *line)
{
    (void)context, (void)level;
    size_t used = strlen(logged);
    snprintf(logged + used, sizeof logged - used, "%s\n", line);
}

static int begin(void **state)
{
    (void)state;
    logged[0] = 0;
    log_set_sink(keep_log, NULL);
    return 0;
}

static void fill_random(void *context, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(next_random(context) >> 7);
}

static uint32_t random_state = 4711;
static const struct tls_random test_random = {&random_state, fill_random};

static void set_blob(struct blob *blob, const char *text)
{
    assert_true(blob_set(blob, bytes_of_text(text)));
}

static struct config config_with(const char *crt, const char *key)
{
    struct config c;
    config_init(&c);
    set_blob(&c.ca, pki_ca);
    set_blob(&c.cert, crt);
    set_blob(&c.key, key);
    return c;
}

/* Both ends of one connection. */
struct pair {
    struct config client_config, server_config;
    struct tls_context client_context, server_context;
    struct tls_session client, server;
};

static void pair_configure(struct pair *p)
{
    p->client_config = config_with(pki_client_crt, pki_client_key);
    p->server_config = config_with(pki_server_crt, pki_server_key);
    p->client_config.remote_cert_tls_server = true;
}

static void pair_open(struct pair *p)
{
    struct bytes none = bytes_of(NULL, 0);
    assert_true(tls_context_init(&p->client_context, OPENVPN_CLIENT,
                                 &p->client_config, none, &test_random));
    assert_true(tls_context_init(&p->server_context, OPENVPN_SERVER,
                                 &p->server_config, none, &test_random));
    assert_true(tls_session_init(&p->client, &p->client_context, TODAY));
    assert_true(tls_session_init(&p->server, &p->server_context, TODAY));
}

static void pair_close(struct pair *p)
{
    tls_session_clear(&p->client);
    tls_session_clear(&p->server);
    tls_context_clear(&p->client_context);
    tls_context_clear(&p->server_context);
    config_clear(&p->client_config);
    config_clear(&p->server_config);
}

/* Carries one end's words, in pieces as the control channel cuts them. The
 * records that the other reads are appended to `records`, one a line. */
static bool carry(struct tls_session *from, struct tls_session *to,
                  size_t piece, char *records)
{
    uint8_t copy[2048], record[TLS_RECORD_MAX];
    struct bytes output = tls_session_output(from);
    size_t size = output.size < piece ? output.size : piece, read;
    if (size == 0)
        return false;
    memcpy(copy, output.data, size);
    tls_session_sent(from, size);
    tls_session_feed(to, bytes_of(copy, size));
    while (tls_session_read(to, record, sizeof record, &read)) {
        if (records)
            sprintf(records + strlen(records), "%.*s\n", (int)read,
                    (const char *)record);
    }
    return true;
}

static void shake_hands(struct pair *p, size_t piece)
{
    tls_session_advance(&p->client);
    while (carry(&p->client, &p->server, piece, NULL) ||
           carry(&p->server, &p->client, piece, NULL))
        ;
}

static void connected(struct pair *p)
{
    assert_string_equal(tls_session_error(&p->client), "");
    assert_string_equal(tls_session_error(&p->server), "");
    assert_int_equal(p->client.state, TLS_ESTABLISHED);
    assert_int_equal(p->server.state, TLS_ESTABLISHED);
}

static void version_is(const struct pair *p, const char *version)
{
    char text[96];
    tls_session_describe(&p->client, text, sizeof text);
    assert_memory_equal(text, version, strlen(version));
}

static void both_versions_in_any_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 100, 1200};
    for (size_t i = 0; i < 2 * sizeof pieces / sizeof *pieces; i++) {
        struct pair p;
        pair_configure(&p);
        if (i % 2)
            p.client_config.tls_version_max = CONFIG_TLS_1_2;
        pair_open(&p);
        shake_hands(&p, pieces[i / 2]);
        connected(&p);
        version_is(&p, i % 2 ? "TLSv1.2 " : "TLSv1.3 ");
        pair_close(&p);
    }
}

static void a_minimum_version_is_kept(void **state)
{
    (void)state;
    struct pair p;
    pair_configure(&p);
    p.client_config.tls_version_min = CONFIG_TLS_1_3;
    p.server_config.tls_version_max = CONFIG_TLS_1_2;
    pair_open(&p);
    shake_hands(&p, 1200);
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_non_null(
        strstr(tls_session_error(&p.client), "the server ended TLS"));
    pair_close(&p);
}

static void an_offer_of_1_3_can_be_taken_back_and_made_again(void **state)
{
    (void)state;
    struct pair p;
    pair_configure(&p);
    pair_open(&p);
    for (int offer = 0; offer <= 1; offer++) {
        assert_true(tls_context_offer_tls_1_3(&p.client_context, offer));
        tls_session_clear(&p.client);
        tls_session_clear(&p.server);
        assert_true(tls_session_init(&p.client, &p.client_context, TODAY));
        assert_true(tls_session_init(&p.server, &p.server_context, TODAY));
        shake_hands(&p, 1200);
        connected(&p);
        version_is(&p, offer ? "TLSv1.3 " : "TLSv1.2 ");
    }
    pair_close(&p);
}

static void an_offer_never_leaves_what_the_profile_allows(void **state)
{
    (void)state;
    struct pair p;
    pair_configure(&p);
    p.client_config.tls_version_min = CONFIG_TLS_1_3;
    p.server_config.tls_version_max = CONFIG_TLS_1_2;
    pair_open(&p);
    assert_false(tls_context_offer_tls_1_3(&p.client_context, false));
    assert_false(tls_context_offer_tls_1_3(&p.server_context, true));
    shake_hands(&p, 1200);
    assert_int_equal(p.client.state, TLS_FAILED);
    /* It failed, but not because of too large an offer. */
    assert_false(tls_session_offered_too_much(&p.client));
    pair_close(&p);
}

static void one_write_is_one_record(void **state)
{
    (void)state;
    struct pair p;
    char records[256] = "";
    pair_configure(&p);
    pair_open(&p);
    shake_hands(&p, 1200);
    connected(&p);
    assert_true(tls_session_write(&p.client, bytes_of_text("one")));
    assert_true(tls_session_write(&p.client, bytes_of_text("two and more")));
    while (carry(&p.client, &p.server, 1200, records))
        ;
    assert_string_equal(records, "one\ntwo and more\n");
    records[0] = 0;
    assert_true(tls_session_write(&p.server, bytes_of_text("back")));
    while (carry(&p.server, &p.client, 3, records))
        ;
    assert_string_equal(records, "back\n");
    static uint8_t large[TLS_WRITE_MAX + 1];
    assert_false(tls_session_write(&p.client, bytes_of(large, sizeof large)));
    assert_true(
        tls_session_write(&p.client, bytes_of(large, sizeof large - 1)));
    pair_close(&p);
}

static void nothing_is_written_before_the_handshake(void **state)
{
    (void)state;
    struct pair p;
    uint8_t key[32];
    pair_configure(&p);
    pair_open(&p);
    assert_false(tls_session_write(&p.client, bytes_of_text("early")));
    assert_false(
        tls_session_export(&p.client, KEY_EXPORT_LABEL, key, sizeof key));
    pair_close(&p);
}

static void both_ends_export_the_same_keys(void **state)
{
    (void)state;
    for (int version = 0; version < 2; version++) {
        struct pair p;
        uint8_t a[256], b[256], other[256];
        pair_configure(&p);
        p.client_config.tls_version_max =
            version ? CONFIG_TLS_1_2 : CONFIG_TLS_ANY;
        pair_open(&p);
        shake_hands(&p, 1200);
        connected(&p);
        assert_true(
            tls_session_export(&p.client, KEY_EXPORT_LABEL, a, sizeof a));
        assert_true(
            tls_session_export(&p.server, KEY_EXPORT_LABEL, b, sizeof b));
        assert_memory_equal(a, b, sizeof a);
        assert_true(tls_session_export(&p.client, KEY_EXPORT_LABEL_DYNAMIC,
                                       other, sizeof other));
        assert_memory_not_equal(a, other, sizeof a);
        pair_close(&p);
    }
}

static void a_wrong_certificate_is_explained_at_both_ends(void **state)
{
    (void)state;
    struct pair p;
    pair_configure(&p);
    /* In 1.3 the library cannot read its own alert from before the keys. */
    p.client_config.tls_version_max = CONFIG_TLS_1_2;
    p.client_config.name_type = CONFIG_NAME_CN;
    assert_true(config_set_text(&p.client_config.name, bytes_of_text("other")));
    pair_open(&p);
    shake_hands(&p, 1200);
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_string_equal(
        tls_session_error(&p.client),
        "the server's name is \"vpn.example\", the profile wants \"other\"");
    assert_int_equal(p.server.state, TLS_FAILED);
    assert_string_equal(
        tls_session_error(&p.server),
        library_is("openssl")
            ? "the client ended TLS: our certificate is bad (alert 42)"
            : "the client ended TLS: access denied (alert 49)");
    pair_close(&p);
}

static void a_missing_client_certificate_is_explained(void **state)
{
    (void)state;
    struct pair p;
    pair_configure(&p);
    config_clear(&p.client_config);
    config_init(&p.client_config);
    set_blob(&p.client_config.ca, pki_ca);
    pair_open(&p);
    shake_hands(&p, 1200);
    assert_int_equal(p.server.state, TLS_FAILED);
    assert_string_equal(tls_session_error(&p.server),
                        "the client sent no certificate");
    pair_close(&p);
}

static void garbage_fails_and_stays_failed(void **state)
{
    (void)state;
    struct pair p;
    uint8_t record[TLS_RECORD_MAX];
    size_t size;
    pair_configure(&p);
    pair_open(&p);
    tls_session_advance(&p.client);
    tls_session_feed(&p.client, bytes_of_text("HTTP/1.1 400 Bad Request\r\n"));
    assert_false(tls_session_read(&p.client, record, sizeof record, &size));
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_true(strlen(tls_session_error(&p.client)) > 10);
    assert_false(tls_session_read(&p.client, record, sizeof record, &size));
    assert_false(tls_session_write(&p.client, bytes_of_text("x")));
    pair_close(&p);
}

static void a_damaged_record_fails(void **state)
{
    (void)state;
    struct pair p;
    uint8_t copy[256], record[TLS_RECORD_MAX];
    size_t size;
    pair_configure(&p);
    pair_open(&p);
    shake_hands(&p, 1200);
    connected(&p);
    assert_true(tls_session_write(&p.client, bytes_of_text("text")));
    struct bytes output = tls_session_output(&p.client);
    assert_true(output.size < sizeof copy);
    memcpy(copy, output.data, output.size);
    copy[output.size - 1] ^= 1;
    tls_session_feed(&p.server, bytes_of(copy, output.size));
    assert_false(tls_session_read(&p.server, record, sizeof record, &size));
    assert_int_equal(p.server.state, TLS_FAILED);
    assert_string_equal(tls_session_error(&p.server),
                        "a TLS record was damaged");
    pair_close(&p);
}

/* Input that a context takes, and input that it refuses. */

static bool context_takes(const struct config *c, const char *password)
{
    struct tls_context context;
    logged[0] = 0;
    bool good = tls_context_init(&context, OPENVPN_CLIENT, c,
                                 bytes_of_text(password), &test_random);
    tls_context_clear(&context);
    return good;
}

static void an_encrypted_key_needs_its_password(void **state)
{
    (void)state;
    struct config c = config_with(pki_client_crt, pki_encrypted_key);
    assert_true(tls_context_key_is_encrypted(bytes_of_text(pki_encrypted_key)));
    assert_false(tls_context_key_is_encrypted(bytes_of_text(pki_client_key)));
    assert_true(context_takes(&c, "qubes"));
    assert_false(context_takes(&c, "wrong"));
    assert_non_null(strstr(logged, "password of the private key is wrong"));
    assert_null(strstr(logged, "wrong\""));
    assert_false(context_takes(&c, ""));
    assert_non_null(strstr(logged, "no password"));
    config_clear(&c);
}

static void a_key_must_belong_to_its_certificate(void **state)
{
    (void)state;
    struct config c = config_with(pki_client_crt, pki_server_key);
    assert_false(context_takes(&c, ""));
    assert_non_null(strstr(logged, "does not belong to the certificate"));
    config_clear(&c);
}

static void what_is_no_certificate_is_refused(void **state)
{
    (void)state;
    struct config c = config_with("rubbish", pki_client_key);
    assert_false(context_takes(&c, ""));
    config_clear(&c);
    c = config_with(pki_client_crt, "rubbish");
    assert_false(context_takes(&c, ""));
    config_clear(&c);
    config_init(&c);
    assert_false(context_takes(&c, ""));
    assert_non_null(strstr(logged, "neither ca nor peer-fingerprint"));
}

static void suites_are(const char *older, const char *newer,
                       const char *negotiated)
{
    struct pair p;
    char text[96];
    pair_configure(&p);
    if (older) {
        assert_true(
            config_set_text(&p.client_config.tls_cipher, bytes_of_text(older)));
        if (!newer)
            p.client_config.tls_version_max = CONFIG_TLS_1_2;
    }
    if (newer)
        assert_true(config_set_text(&p.client_config.tls_ciphersuites,
                                    bytes_of_text(newer)));
    pair_open(&p);
    shake_hands(&p, 1200);
    connected(&p);
    tls_session_describe(&p.client, text, sizeof text);
    /* a hybrid group may stand behind it */
    assert_memory_equal(text, negotiated, strlen(negotiated));
    pair_close(&p);
}

static void cipher_suites_are_known_by_all_their_names(void **state)
{
    (void)state;
    suites_are("TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", NULL,
               "TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256");
    suites_are("ECDHE-ECDSA-AES128-GCM-SHA256", NULL,
               "TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256");
    suites_are("ECDHE-ECDSA-AES256-SHA384:nonsense", NULL,
               "TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-256-CBC-SHA384");
    suites_are("ECDHE-ECDSA-CHACHA20-POLY1305", NULL,
               "TLSv1.2 TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256");
    suites_are(NULL, "TLS_AES_128_GCM_SHA256",
               "TLSv1.3 TLS1-3-AES-128-GCM-SHA256");
    suites_are("DEFAULT:@SECLEVEL=0", "TLS_CHACHA20_POLY1305_SHA256",
               "TLSv1.3 TLS1-3-CHACHA20-POLY1305-SHA256");
}

static void lists_of_nothing_known_leave_the_default(void **state)
{
    (void)state;
    struct config c = config_with(pki_client_crt, pki_client_key);
    assert_true(config_set_text(&c.tls_groups, bytes_of_text("X25519:P-384")));
    assert_true(context_takes(&c, ""));
    assert_string_equal(logged, "");
    assert_true(config_set_text(&c.tls_groups, bytes_of_text("no:such")));
    assert_true(context_takes(&c, ""));
    assert_non_null(strstr(logged, "tls-groups names nothing"));
    config_clear(&c);
    suites_are("RC4-MD5", NULL,
               "TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384");
    assert_non_null(strstr(logged, "tls-cipher names nothing"));
    suites_are("RC4-MD5", "TLS_NO_SUCH", "TLSv1.3 TLS1-3-AES-256-GCM-SHA384");
    assert_non_null(strstr(logged, "tls-ciphersuites names nothing"));
}

/* If the library has it, nobody need name it. */
static void a_hybrid_group_is_negotiated_by_default(void **state)
{
    (void)state;
    enum { X25519MLKEM768 = 4588 };
    struct pair p;
    char text[96];
    if (!tls_end_has_group(X25519MLKEM768))
        skip();
    pair_configure(&p);
    pair_open(&p);
    shake_hands(&p, 1200);
    connected(&p);
    tls_session_describe(&p.client, text, sizeof text);
    assert_string_equal(text,
                        "TLSv1.3 TLS1-3-AES-256-GCM-SHA384 X25519MLKEM768");
    pair_close(&p);
}

static void versions_that_are_not_spoken_are_refused(void **state)
{
    (void)state;
    struct config c = config_with(pki_client_crt, pki_client_key);
    c.tls_version_max = CONFIG_TLS_1_1;
    assert_false(context_takes(&c, ""));
    config_clear(&c);
}

/* The suites of a ClientHello: record and handshake headers, version, random,
 * session id, then they. */
static struct bytes offered_suites(const struct tls_session *t)
{
    struct reader r = reader_of(tls_session_output(t));
    (void)read_bytes(&r, 5 + 4 + 2 + 32);
    (void)read_bytes(&r, read_u8(&r));
    struct bytes suites = read_bytes(&r, read_u16(&r));
    assert_true(reader_ok(&r));
    return suites;
}

static void only_suites_with_forward_secrecy_are_offered(void **state)
{
    (void)state;
    /* static RSA, static ECDH, CCM-8, Camellia, ARIA */
    static const uint16_t unwanted[] = {0x002f, 0x0035, 0x003c, 0x009c, 0x009d,
                                        0xc004, 0xc00e, 0xc02d, 0xc0ae, 0xc0a2,
                                        0xc076, 0xc072, 0xc05c, 0x1305};
    struct pair p;
    pair_configure(&p);
    pair_open(&p);
    tls_session_advance(&p.client);
    struct reader r = reader_of(offered_suites(&p.client));
    size_t count = 0;
    while (r.left) {
        uint16_t suite = read_u16(&r);
        for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
            assert_int_not_equal(suite, unwanted[i]);
        count += suite != 0x00ff; /* says: no renegotiation */
    }
    assert_int_equal(count, 24);
    pair_close(&p);
}

/* One end names a suite that is not on the list: the other has to, too. */
static void a_suite_beside_the_default_must_be_named(void **state)
{
    (void)state;
    static const char suite[] = "TLS-ECDHE-ECDSA-WITH-AES-128-CCM";
    for (int named = 0; named <= 3; named++) {
        struct pair p;
        pair_configure(&p);
        p.client_config.tls_version_max = CONFIG_TLS_1_2;
        if (named & 1)
            assert_true(config_set_text(&p.client_config.tls_cipher,
                                        bytes_of_text(suite)));
        if (named & 2)
            assert_true(config_set_text(&p.server_config.tls_cipher,
                                        bytes_of_text(suite)));
        pair_open(&p);
        shake_hands(&p, 1200);
        bool expected = named == 0 || named == 3;
        assert_int_equal(p.client.state == TLS_ESTABLISHED, expected);
        pair_close(&p);
    }
}

/* --- Certificates as authorities made them ------------------------------- */

/* Whether a server with that certificate, of that authority, is taken. */
static bool server_is_taken(const char *ca, const char *crt, const char *key,
                            bool older, char error[TLS_ERROR_SIZE])
{
    struct pair p;
    p.client_config = config_with(pki_client_crt, pki_client_key);
    p.server_config = config_with(crt, key);
    blob_free(&p.client_config.ca);
    set_blob(&p.client_config.ca, ca);
    p.client_config.remote_cert_tls_server = true;
    if (older)
        p.client_config.tls_version_max = CONFIG_TLS_1_2;
    pair_open(&p);
    shake_hands(&p, 1200);
    bool taken = p.client.state == TLS_ESTABLISHED;
    strcpy(error, tls_session_error(&p.client));
    pair_close(&p);
    return taken;
}

static void a_server_may_be_stated_to_encipher_or_agree_only(void **state)
{
    (void)state;
    static const struct {
        const char *crt, *key;
        bool taken;
        bool not_by_openssl; /* which serves no 1.2 with it */
    } cases[] = {
        {odd_pki_rsa_keyEncipherment_crt, odd_pki_rsa_keyEncipherment_key, true,
         false},
        {odd_pki_rsa_keyAgreement_crt, odd_pki_rsa_keyAgreement_key, true,
         false},
        {odd_pki_ec_keyEncipherment_crt, odd_pki_ec_keyEncipherment_key, true,
         true},
        {odd_pki_ec_keyAgreement_crt, odd_pki_ec_keyAgreement_key, true, true},
        {odd_pki_rsa_cRLSign_crt, odd_pki_rsa_cRLSign_key, false, false},
        {odd_pki_ec_cRLSign_crt, odd_pki_ec_cRLSign_key, false, true},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        char error[TLS_ERROR_SIZE];
        if (i % 2 && cases[i / 2].not_by_openssl && library_is("openssl"))
            continue;
        bool taken = server_is_taken(odd_pki_ca_crt, cases[i / 2].crt,
                                     cases[i / 2].key, i % 2, error);
        if (taken != cases[i / 2].taken)
            fail_msg("case %zu, TLS 1.%zu: %s", i / 2, 3 - i % 2, error);
        if (!taken)
            assert_string_equal(error, "the server's certificate may not be "
                                       "used for TLS (key usage)");
    }
}

static void a_client_may_be_stated_to_agree_only(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool agrees = i % 2;
        struct pair p;
        p.client_config = agrees
                              ? config_with(odd_pki_client_keyAgreement_crt,
                                            odd_pki_client_keyAgreement_key)
                              : config_with(odd_pki_client_keyEncipherment_crt,
                                            odd_pki_client_keyEncipherment_key);
        p.server_config = config_with(pki_server_crt, pki_server_key);
        blob_free(&p.server_config.ca);
        set_blob(&p.server_config.ca, odd_pki_ca_crt);
        if (i / 2)
            p.client_config.tls_version_max = CONFIG_TLS_1_2;
        pair_open(&p);
        shake_hands(&p, 1200);
        assert_int_equal(p.server.state == TLS_ESTABLISHED, agrees);
        pair_close(&p);
    }
}

static void policies_of_an_authority_restrict_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *ca, *crt, *key;
        bool taken;
    } cases[] = {
        {odd_pki_policy_constraints_crt, odd_pki_of_policy_constraints_crt,
         odd_pki_of_policy_constraints_key, true},
        {odd_pki_inhibit_any_policy_crt, odd_pki_of_inhibit_any_policy_crt,
         odd_pki_of_inhibit_any_policy_key, true},
        {odd_pki_policies_crt, odd_pki_of_policies_crt, odd_pki_of_policies_key,
         true},
        {odd_pki_no_basic_constraints_crt, odd_pki_of_no_basic_constraints_crt,
         odd_pki_of_no_basic_constraints_key, true},
        /* neither says that it may sign */
        {odd_pki_no_usage_crt, odd_pki_of_no_usage_crt, odd_pki_of_no_usage_key,
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[TLS_ERROR_SIZE];
        if (server_is_taken(cases[i].ca, cases[i].crt, cases[i].key, false,
                            error) != cases[i].taken)
            fail_msg("case %zu: %s", i, error);
    }
}

static void what_the_library_lacks_is_named(void **state)
{
    (void)state;
    if (!library_is("mbedtls"))
        skip();
    static const struct {
        const char *ca, *crt, *key, *said;
    } cases[] = {
        {odd_pki_name_constraints_crt, pki_client_crt, pki_client_key,
         "critical nameConstraints"},
        {pki_ca, odd_pki_ED25519_crt, odd_pki_ED25519_key,
         "cert cannot be used: it has or is signed with an Ed25519 key"},
        {pki_ca, odd_pki_ED448_crt, odd_pki_ED448_key, "an Ed448 key"},
        {pki_ca, odd_pki_RSA_PSS_crt, odd_pki_RSA_PSS_key, "an RSA-PSS key"},
        {pki_ca, pki_client_crt, odd_pki_ED25519_key,
         "the private key is an Ed25519 key"},
        {pki_ca, pki_client_crt, odd_pki_ED448_key, "is an Ed448 key"},
        {pki_ca, pki_client_crt, odd_pki_RSA_PSS_key, "is an RSA-PSS key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        logged[0] = 0;
        struct config c = config_with(cases[i].crt, cases[i].key);
        blob_free(&c.ca);
        set_blob(&c.ca, cases[i].ca);
        if (context_takes(&c, "") || !strstr(logged, cases[i].said))
            fail_msg("case %zu: %s", i, logged);
        config_clear(&c);
    }
}

/* The other library lacks these. */
static void kinds_of_keys_that_openssl_has_are_taken(void **state)
{
    (void)state;
    if (!library_is("openssl"))
        skip();
    static const struct {
        const char *crt, *key;
    } cases[] = {
        {odd_pki_ED25519_crt, odd_pki_ED25519_key},
        {odd_pki_ED448_crt, odd_pki_ED448_key},
        {odd_pki_RSA_PSS_crt, odd_pki_RSA_PSS_key},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct pair p;
        p.client_config = config_with(cases[i / 2].crt, cases[i / 2].key);
        p.server_config = config_with(pki_server_crt, pki_server_key);
        blob_free(&p.server_config.ca);
        set_blob(&p.server_config.ca, odd_pki_ca_crt);
        if (i % 2)
            p.client_config.tls_version_max = CONFIG_TLS_1_2;
        pair_open(&p);
        shake_hands(&p, 1200);
        if (p.server.state != TLS_ESTABLISHED)
            fail_msg("case %zu, TLS 1.%zu: %s", i / 2, 3 - i % 2,
                     tls_session_error(&p.server));
        pair_close(&p);
    }
}

/* The constraints are critical, and this server has no name that they are
 * about. */
static void constraints_on_names_are_understood(void **state)
{
    (void)state;
    if (!library_is("openssl"))
        skip();
    char error[TLS_ERROR_SIZE];
    if (!server_is_taken(odd_pki_name_constraints_crt,
                         odd_pki_of_name_constraints_crt,
                         odd_pki_of_name_constraints_key, false, error))
        fail_msg("%s", error);
}

static void a_chain_that_is_too_deep_is_named(void **state)
{
    (void)state;
    static const char *const chain[] = {
        odd_pki_deep_crt,    odd_pki_middle9_crt, odd_pki_middle8_crt,
        odd_pki_middle7_crt, odd_pki_middle6_crt, odd_pki_middle5_crt,
        odd_pki_middle4_crt, odd_pki_middle3_crt, odd_pki_middle2_crt,
        odd_pki_middle1_crt, odd_pki_middle0_crt,
    };
    static char all[16384];
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++)
        strcat(all, chain[i]);
    for (int older = 0; older <= 1; older++) {
        char error[TLS_ERROR_SIZE];
        bool taken = server_is_taken(odd_pki_ca_crt, all, odd_pki_deep_key,
                                     older, error);
        assert_int_equal(taken, library_is("openssl"));
        if (!taken && !strstr(error, "more than 8 intermediate"))
            fail_msg("%s", error);
    }
}

/* A Certificate of 30 000 bytes behind a true ServerHello. */
static void a_message_of_more_than_16_kib_is_named(void **state)
{
    (void)state;
    if (!library_is("mbedtls"))
        skip();
    static uint8_t record[5 + 16384] = {22, 3, 3, 0x40, 0, 11, 0, 0x75, 0x30};
    uint8_t hello[1024], ignored[64];
    struct pair p;
    pair_configure(&p);
    p.client_config.tls_version_max = CONFIG_TLS_1_2;
    pair_open(&p);
    tls_session_advance(&p.client);
    while (carry(&p.client, &p.server, 1200, NULL))
        ;
    struct bytes output = tls_session_output(&p.server);
    size_t size = 5u + (size_t)(output.data[3] << 8) + output.data[4], read;
    assert_in_range(size, 40, sizeof hello);
    memcpy(hello, output.data, size);
    tls_session_feed(&p.client, bytes_of(hello, size));
    assert_false(tls_session_read(&p.client, ignored, sizeof ignored, &read));
    assert_int_equal(p.client.state, TLS_HANDSHAKE);
    for (int part = 0; part < 2; part++) {
        tls_session_feed(&p.client, bytes_of(record, sizeof record));
        assert_false(
            tls_session_read(&p.client, ignored, sizeof ignored, &read));
        memset(record + 5, 0, 4);
    }
    assert_int_equal(p.client.state, TLS_FAILED);
    if (!strstr(tls_session_error(&p.client), "more than 16 KiB"))
        fail_msg("%s", tls_session_error(&p.client));
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_versions_in_any_pieces, begin),
        cmocka_unit_test_setup(a_minimum_version_is_kept, begin),
        cmocka_unit_test_setup(an_offer_of_1_3_can_be_taken_back_and_made_again,
                               begin),
        cmocka_unit_test_setup(an_offer_never_leaves_what_the_profile_allows,
                               begin),
        cmocka_unit_test_setup(one_write_is_one_record, begin),
        cmocka_unit_test_setup(nothing_is_written_before_the_handshake, begin),
        cmocka_unit_test_setup(both_ends_export_the_same_keys, begin),
        cmocka_unit_test_setup(a_wrong_certificate_is_explained_at_both_ends,
                               begin),
        cmocka_unit_test_setup(a_missing_client_certificate_is_explained,
                               begin),
        cmocka_unit_test_setup(garbage_fails_and_stays_failed, begin),
        cmocka_unit_test_setup(a_damaged_record_fails, begin),
        cmocka_unit_test_setup(an_encrypted_key_needs_its_password, begin),
        cmocka_unit_test_setup(a_key_must_belong_to_its_certificate, begin),
        cmocka_unit_test_setup(what_is_no_certificate_is_refused, begin),
        cmocka_unit_test_setup(cipher_suites_are_known_by_all_their_names,
                               begin),
        cmocka_unit_test_setup(lists_of_nothing_known_leave_the_default, begin),
        cmocka_unit_test_setup(a_hybrid_group_is_negotiated_by_default, begin),
        cmocka_unit_test_setup(versions_that_are_not_spoken_are_refused, begin),
        cmocka_unit_test_setup(only_suites_with_forward_secrecy_are_offered,
                               begin),
        cmocka_unit_test_setup(a_suite_beside_the_default_must_be_named, begin),
        cmocka_unit_test_setup(a_server_may_be_stated_to_encipher_or_agree_only,
                               begin),
        cmocka_unit_test_setup(a_client_may_be_stated_to_agree_only, begin),
        cmocka_unit_test_setup(policies_of_an_authority_restrict_nothing,
                               begin),
        cmocka_unit_test_setup(what_the_library_lacks_is_named, begin),
        cmocka_unit_test_setup(kinds_of_keys_that_openssl_has_are_taken, begin),
        cmocka_unit_test_setup(constraints_on_names_are_understood, begin),
        cmocka_unit_test_setup(a_chain_that_is_too_deep_is_named, begin),
        cmocka_unit_test_setup(a_message_of_more_than_16_kib_is_named, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
