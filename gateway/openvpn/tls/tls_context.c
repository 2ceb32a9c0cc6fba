#include "gateway/openvpn/tls/tls_context.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/error.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/crypto/pkcs12.h"

static int fill_random(void *context, unsigned char *out, size_t size)
{
    const struct tls_random *random = context;
    random->fill(random->context, out, size);
    return 0;
}

/* Certificates and keys. */

static bool report(const char *what, int code)
{
    char text[128];
    mbedtls_strerror(code, text, sizeof text);
    log_error("openvpn: %s cannot be used: %s", what, text);
    return false;
}

/* mbedTLS wants PEM with its NUL, which config_blob has behind `size`. */
static size_t parse_size(const struct blob *b)
{
    static const uint8_t pem[] = "-----BEGIN ";
    bool text = memmem(b->data, b->size, pem, sizeof pem - 1) != NULL;
    return b->size + (text ? 1 : 0);
}

static bool parse_certificates(mbedtls_x509_crt *chain, const struct blob *blob,
                               const char *what)
{
    if (blob->size == 0)
        return true;
    int result = mbedtls_x509_crt_parse(chain, blob->data, parse_size(blob));
    if (result > 0) {
        log_warn("openvpn: %d of the certificates in %s cannot be read", result,
                 what);
        result = chain->raw.len > 0 ? 0 : MBEDTLS_ERR_X509_INVALID_FORMAT;
    }
    return result == 0 || report(what, result);
}

static bool parse_key(struct tls_context *t, const struct blob *blob,
                      struct bytes password)
{
    int result = mbedtls_pk_parse_key(&t->key, blob->data, parse_size(blob),
                                      password.data, password.size, fill_random,
                                      &t->random);
    if (result == MBEDTLS_ERR_PK_PASSWORD_REQUIRED) {
        log_error("openvpn: the private key is encrypted and no password for "
                  "it is known");
        return false;
    }
    if (result == MBEDTLS_ERR_PK_PASSWORD_MISMATCH) {
        log_error("openvpn: the password of the private key is wrong");
        return false;
    }
    if (result != 0)
        return report("the private key", result);
    result =
        mbedtls_pk_check_pair(&t->own.pk, &t->key, fill_random, &t->random);
    if (result != 0) {
        log_error("openvpn: the private key does not belong to the "
                  "certificate");
        return false;
    }
    return true;
}

static bool key_belongs_to(struct tls_context *t, const struct blob *der)
{
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    bool belongs =
        mbedtls_x509_crt_parse_der(&certificate, der->data, der->size) == 0 &&
        mbedtls_pk_check_pair(&certificate.pk, &t->key, fill_random,
                              &t->random) == 0;
    mbedtls_x509_crt_free(&certificate);
    return belongs;
}

/* Ours first, and the others behind it; but where the profile names nobody
 * else to recognise the server by, they are its authorities, as OpenVPN has
 * it. */
static bool take_pkcs12(struct tls_context *t, const struct config *config,
                        const struct pkcs12 *p)
{
    int result = mbedtls_pk_parse_key(&t->key, p->key.data, p->key.size, NULL,
                                      0, fill_random, &t->random);
    if (result != 0)
        return report("the private key in pkcs12", result);
    size_t own = 0;
    while (own < p->certificate_count &&
           !key_belongs_to(t, &p->certificates[own]))
        own++;
    if (own == p->certificate_count) {
        log_error("openvpn: pkcs12: no certificate belongs to the private key");
        return false;
    }
    bool trusted = config->ca.size == 0 && config->fingerprint_count == 0;
    result = mbedtls_x509_crt_parse_der(&t->own, p->certificates[own].data,
                                        p->certificates[own].size);
    for (size_t i = 0; i < p->certificate_count && result == 0; i++)
        if (i != own)
            result = mbedtls_x509_crt_parse_der(
                trusted ? &t->authorities : &t->own, p->certificates[i].data,
                p->certificates[i].size);
    if (result != 0)
        return report("a certificate in pkcs12", result);
    if (trusted && t->authorities.raw.len == 0) {
        log_error("openvpn: neither ca nor an authority in pkcs12: the %s "
                  "cannot be recognised",
                  t->rules.peer);
        return false;
    }
    result = mbedtls_ssl_conf_own_cert(&t->config, &t->own, &t->key);
    return result == 0 || report("pkcs12", result);
}

static bool load_pkcs12(struct tls_context *t, const struct config *config,
                        struct bytes password)
{
    struct pkcs12 p;
    enum pkcs12_result result = pkcs12_open(
        bytes_of(config->pkcs12.data, config->pkcs12.size), password, &p);
    if (result != PKCS12_OK) {
        log_error("openvpn: pkcs12: %s", pkcs12_text(result));
        return false;
    }
    bool good = take_pkcs12(t, config, &p);
    pkcs12_clear(&p);
    return good;
}

static bool load_own(struct tls_context *t, const struct config *config,
                     struct bytes password)
{
    if (config->pkcs12.size)
        return load_pkcs12(t, config, password);
    if (config->cert.size == 0 && config->key.size == 0)
        return true;
    if (config->cert.size == 0 || config->key.size == 0) {
        log_error("openvpn: of cert and key the profile has only one");
        return false;
    }
    if (!parse_certificates(&t->own, &config->cert, "cert") ||
        !parse_certificates(&t->own, &config->extra_certs, "extra-certs") ||
        !parse_key(t, &config->key, password))
        return false;
    int result = mbedtls_ssl_conf_own_cert(&t->config, &t->own, &t->key);
    return result == 0 || report("cert", result);
}

static bool load_authorities(struct tls_context *t, const struct config *config)
{
    if (!parse_certificates(&t->authorities, &config->ca, "ca"))
        return false;
    if (config->crl.size > 0) {
        int result = mbedtls_x509_crl_parse(&t->revoked, config->crl.data,
                                            parse_size(&config->crl));
        if (result != 0)
            return report("crl-verify", result);
    }
    /* An empty chain is handed over as well, so that a fingerprint alone can
     * vouch for the peer. */
    mbedtls_ssl_conf_ca_chain(&t->config, &t->authorities,
                              config->crl.size > 0 ? &t->revoked : NULL);
    return true;
}

void tls_context_make_certificate_optional(struct tls_context *t)
{
    t->certificate_optional = true;
    mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_OPTIONAL);
}

bool tls_context_revoke(struct tls_context *t, const struct blob *list)
{
    mbedtls_x509_crl fresh;
    mbedtls_x509_crl_init(&fresh);
    int result = mbedtls_x509_crl_parse(&fresh, list->data, parse_size(list));
    if (result != 0) {
        mbedtls_x509_crl_free(&fresh);
        return report("crl-verify", result);
    }
    mbedtls_x509_crl_free(&t->revoked);
    t->revoked = fresh;
    mbedtls_ssl_conf_ca_chain(&t->config, &t->authorities, &t->revoked);
    return true;
}

bool tls_context_key_is_encrypted(struct bytes key)
{
    static const char *const marks[] = {"BEGIN ENCRYPTED PRIVATE KEY",
                                        "Proc-Type: 4,ENCRYPTED"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (key.size > 0 &&
            memmem(key.data, key.size, marks[i], strlen(marks[i])))
            return true;
    }
    return false;
}

/* Containers without a password are common, and cannot be told by looking. */
static bool pkcs12_is_locked(const struct blob *blob)
{
    struct pkcs12 p;
    enum pkcs12_result result =
        pkcs12_open(bytes_of(blob->data, blob->size), bytes_of(NULL, 0), &p);
    if (result == PKCS12_OK)
        pkcs12_clear(&p);
    return result == PKCS12_PASSWORD;
}

bool tls_context_needs_password(const struct config *config)
{
    return tls_context_key_is_encrypted(
               bytes_of(config->key.data, config->key.size)) ||
           (config->pkcs12.size && pkcs12_is_locked(&config->pkcs12));
}

/* What the profile allows in a chain. */

static void set_profile(struct tls_context *t, enum config_cert_profile profile)
{
    uint32_t sha1 = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA1);
    uint32_t md5 = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_MD5);
    t->profile = mbedtls_x509_crt_profile_default;
    switch (profile) {
    case CONFIG_PROFILE_LEGACY:
        t->profile.allowed_mds |= sha1;
        t->profile.allowed_curves = 0xfffffff;
        t->profile.rsa_min_bitlen = 1024;
        break;
    case CONFIG_PROFILE_PREFERRED:
        break;
    case CONFIG_PROFILE_SUITEB:
        t->profile = mbedtls_x509_crt_profile_suiteb;
        break;
    case CONFIG_PROFILE_INSECURE:
        t->profile.allowed_mds |= sha1 | md5;
        t->profile.allowed_curves = 0xfffffff;
        t->profile.rsa_min_bitlen = 512;
        break;
    }
    mbedtls_ssl_conf_cert_profile(&t->config, &t->profile);
}

/* Versions, cipher suites and groups. */

static bool set_versions(struct tls_context *t, const struct config *config)
{
    mbedtls_ssl_protocol_version most = MBEDTLS_SSL_VERSION_TLS1_3;
    mbedtls_ssl_protocol_version least = MBEDTLS_SSL_VERSION_TLS1_2;
    if (config->tls_version_min == CONFIG_TLS_1_3)
        least = MBEDTLS_SSL_VERSION_TLS1_3;
    if (config->tls_version_max == CONFIG_TLS_1_2)
        most = MBEDTLS_SSL_VERSION_TLS1_2;
    if (config->tls_version_max == CONFIG_TLS_1_0 ||
        config->tls_version_max == CONFIG_TLS_1_1 || least > most) {
        log_error("openvpn: the profile leaves no TLS version: this program "
                  "speaks 1.2 and 1.3");
        return false;
    }
    t->oldest = least;
    t->newest = most;
    t->offers_tls_1_3 = most == MBEDTLS_SSL_VERSION_TLS1_3;
    mbedtls_ssl_conf_min_tls_version(&t->config, least);
    mbedtls_ssl_conf_max_tls_version(&t->config, most);
    return true;
}

bool tls_context_offer_tls_1_3(struct tls_context *t, bool offer)
{
    mbedtls_ssl_protocol_version most =
        offer ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
    if (most < t->oldest || most > t->newest)
        return false;
    mbedtls_ssl_conf_max_tls_version(&t->config, most);
    t->offers_tls_1_3 = offer;
    return true;
}

enum { SUITE_NAME_SIZE = 96 };

/* Old profiles name suites as OpenSSL does: "ECDHE-RSA-AES256-GCM-SHA384". */
static void suite_of_openssl(const char *name, char out[SUITE_NAME_SIZE])
{
    static const struct {
        const char *prefix, *start;
    } exchanges[] = {
        {"ECDHE-RSA-", "TLS-ECDHE-RSA-WITH-"},
        {"ECDHE-ECDSA-", "TLS-ECDHE-ECDSA-WITH-"},
        {"DHE-RSA-", "TLS-DHE-RSA-WITH-"},
        {"", "TLS-RSA-WITH-"},
    };
    size_t i = 0;
    while (strncmp(name, exchanges[i].prefix, strlen(exchanges[i].prefix)) != 0)
        i++;
    const char *rest = name + strlen(exchanges[i].prefix);
    bool bulk =
        strncmp(rest, "AES128", 6) == 0 || strncmp(rest, "AES256", 6) == 0;
    bool mode = strstr(rest, "GCM") || strstr(rest, "CCM");
    if (bulk)
        snprintf(out, SUITE_NAME_SIZE, "%sAES-%.3s%s%s", exchanges[i].start,
                 rest + 3, mode ? "" : "-CBC", rest + 6);
    else
        snprintf(out, SUITE_NAME_SIZE, "%s%s%s", exchanges[i].start, rest,
                 strcmp(rest, "CHACHA20-POLY1305") == 0 ? "-SHA256" : "");
}

/* 0 if the library knows no such suite. TLS 1.3's are written
 * TLS_AES_256_GCM_SHA384 and called TLS1-3-AES-256-GCM-SHA384 there. */
static int find_suite(struct bytes word, bool version_1_3)
{
    char name[64], full[SUITE_NAME_SIZE];
    if (!text_copy(name, sizeof name, word))
        return 0;
    for (char *c = name; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
    if (strncmp(name, "TLS-", 4) != 0)
        suite_of_openssl(name, full);
    else
        snprintf(full, sizeof full, "%s-%s", version_1_3 ? "TLS1-3" : "TLS",
                 name + 4);
    return mbedtls_ssl_get_ciphersuite_id(full);
}

static bool is_version_1_3(int suite)
{
    return suite >= 0x1301 && suite <= 0x1305;
}

/* What openvpn offers with OpenSSL: forward secrecy, and a cipher that is
 * still thought well of. Others have to be named by the profile. */
static const int default_suites[] = {
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
};

enum { DEFAULT_SUITES = sizeof default_suites / sizeof *default_suites };

static size_t add_default_suites(int *out, bool version_1_3)
{
    size_t count = 0;
    for (size_t i = 0; i < DEFAULT_SUITES; i++)
        if (is_version_1_3(default_suites[i]) == version_1_3)
            out[count++] = default_suites[i];
    return count;
}

/* Appends what `list` names of that version; DEFAULT is our own list, which
 * no list means, too. Where it names nothing that we have, openvpn would have
 * had something. */
static size_t add_suites(int *out, const char *option, const char *list,
                         bool version_1_3)
{
    size_t count = 0;
    struct bytes rest = bytes_of_text(list ? list : "DEFAULT"), word;
    while (text_cut(&rest, ':', &word)) {
        int suite = find_suite(word, version_1_3);
        if (text_equal(word, "DEFAULT"))
            count += add_default_suites(out + count, version_1_3);
        else if (suite != 0 && is_version_1_3(suite) == version_1_3)
            out[count++] = suite;
    }
    if (count == 0) {
        log_warn("openvpn: %s names nothing that this program has: its own "
                 "list is used",
                 option);
        count = add_default_suites(out, version_1_3);
    }
    return count;
}

static size_t count_words(const char *list)
{
    size_t count = 1;
    for (; list && *list; list++)
        count += *list == ':';
    return count;
}

static bool set_suites(struct tls_context *t, const struct config *config)
{
    /* Each word may be DEFAULT. */
    size_t most = DEFAULT_SUITES * (count_words(config->tls_cipher) +
                                    count_words(config->tls_ciphersuites));
    t->suites = calloc(most + 1, sizeof *t->suites);
    if (!t->suites)
        return false;
    size_t newer = add_suites(t->suites, "tls-ciphersuites",
                              config->tls_ciphersuites, true);
    (void)add_suites(t->suites + newer, "tls-cipher", config->tls_cipher,
                     false);
    mbedtls_ssl_conf_ciphersuites(&t->config, t->suites);
    return true;
}

static const struct {
    const char *name;
    uint16_t group;
} group_names[] = {
    {"X25519", MBEDTLS_SSL_IANA_TLS_GROUP_X25519},
    {"X448", MBEDTLS_SSL_IANA_TLS_GROUP_X448},
    {"secp256r1", MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1},
    {"prime256v1", MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1},
    {"P-256", MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1},
    {"secp384r1", MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1},
    {"P-384", MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1},
    {"secp521r1", MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1},
    {"P-521", MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1},
    {"brainpoolP256r1", MBEDTLS_SSL_IANA_TLS_GROUP_BP256R1},
    {"brainpoolP384r1", MBEDTLS_SSL_IANA_TLS_GROUP_BP384R1},
    {"brainpoolP512r1", MBEDTLS_SSL_IANA_TLS_GROUP_BP512R1},
    {"ffdhe2048", MBEDTLS_SSL_IANA_TLS_GROUP_FFDHE2048},
    {"ffdhe3072", MBEDTLS_SSL_IANA_TLS_GROUP_FFDHE3072},
    {"ffdhe4096", MBEDTLS_SSL_IANA_TLS_GROUP_FFDHE4096},
};

static uint16_t find_group(struct bytes word)
{
    for (size_t i = 0; i < sizeof group_names / sizeof *group_names; i++) {
        if (text_equal_ignoring_case(word, group_names[i].name))
            return group_names[i].group;
    }
    return 0;
}

static bool set_groups(struct tls_context *t, const struct config *config)
{
    if (!config->tls_groups)
        return true;
    t->groups = calloc(count_words(config->tls_groups) + 1, sizeof *t->groups);
    if (!t->groups)
        return false;
    size_t count = 0;
    struct bytes rest = bytes_of_text(config->tls_groups), word;
    while (text_cut(&rest, ':', &word)) {
        uint16_t group = find_group(word);
        if (group)
            t->groups[count++] = group;
    }
    if (count == 0)
        log_warn("openvpn: tls-groups names nothing that this program has: "
                 "its own list is used");
    else
        mbedtls_ssl_conf_groups(&t->config, t->groups);
    return true;
}

enum { DH_BITS_LEAST = 2048 };

static bool set_defaults(struct tls_context *t)
{
    int endpoint = t->role == OPENVPN_SERVER ? MBEDTLS_SSL_IS_SERVER
                                             : MBEDTLS_SSL_IS_CLIENT;
    /* TLS 1.3 stands on PSA; more than one call is fine. */
    if (psa_crypto_init() != PSA_SUCCESS) {
        log_error("openvpn: the crypto library does not start");
        return false;
    }
    if (mbedtls_ssl_config_defaults(&t->config, endpoint,
                                    MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return false;
    mbedtls_ssl_conf_rng(&t->config, fill_random, &t->random);
    mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    /* OpenVPN makes new keys with a new handshake, never inside TLS, and
     * resumes nothing. */
    mbedtls_ssl_conf_renegotiation(&t->config,
                                   MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_session_tickets(&t->config,
                                     MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    if (t->role == OPENVPN_SERVER)
        mbedtls_ssl_conf_new_session_tickets(&t->config, 0);
    /* A server's own group has as many. */
    mbedtls_ssl_conf_dhm_min_bitlen(&t->config, DH_BITS_LEAST);
    return true;
}

static struct peer_rules rules_of(enum openvpn_role role,
                                  const struct config *config)
{
    bool client = role == OPENVPN_CLIENT;
    return (struct peer_rules){
        .peer = client ? "server" : "client",
        .server_usage = client && config->remote_cert_tls_server,
        .client_usage = !client && config->remote_cert_tls_client,
        .netscape_server = client && config->ns_cert_type_server,
        .key_usages = config->remote_cert_ku,
        .key_usage_count = config->remote_cert_ku_count,
        .extended_usage = config->remote_cert_eku,
        .name_type = config->name_type,
        .name = config->name,
        .fingerprints = config->fingerprints,
        .fingerprint_count = config->fingerprint_count,
        .fingerprint_instead =
            config->fingerprint_count > 0 && config->ca.size == 0,
    };
}

bool tls_context_init(struct tls_context *t, enum openvpn_role role,
                      const struct config *config, struct bytes key_password,
                      const struct tls_random *random)
{
    *t = (struct tls_context){.random = *random, .role = role};
    t->rules = rules_of(role, config);
    mbedtls_ssl_config_init(&t->config);
    mbedtls_x509_crt_init(&t->authorities);
    mbedtls_x509_crt_init(&t->own);
    mbedtls_x509_crl_init(&t->revoked);
    mbedtls_pk_init(&t->key);
    if (config->ca.size == 0 && config->fingerprint_count == 0 &&
        config->pkcs12.size == 0) {
        log_error("openvpn: neither ca nor peer-fingerprint: the %s cannot be "
                  "recognised",
                  t->rules.peer);
        return false;
    }
    if (!set_defaults(t) || !load_authorities(t, config) ||
        !load_own(t, config, key_password) || !set_versions(t, config) ||
        !set_suites(t, config) || !set_groups(t, config))
        return false;
    set_profile(t, config->cert_profile);
    return true;
}

void tls_context_clear(struct tls_context *t)
{
    mbedtls_ssl_config_free(&t->config);
    mbedtls_x509_crt_free(&t->authorities);
    mbedtls_x509_crt_free(&t->own);
    mbedtls_x509_crl_free(&t->revoked);
    mbedtls_pk_free(&t->key);
    free(t->suites);
    free(t->groups);
    t->suites = NULL;
    t->groups = NULL;
}
