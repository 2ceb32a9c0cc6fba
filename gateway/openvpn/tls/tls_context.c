#include "gateway/openvpn/tls/tls_context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <psa/crypto.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/crypto/certificates.h"
#include "gateway/crypto/pkcs12.h"
#include "gateway/openvpn/tls/tls_offer.h"

static int fill_random(void *context, unsigned char *out, size_t size)
{
    const struct tls_random *random = context;
    random->fill(random->context, out, size);
    return 0;
}

/* Certificates and keys. */

static bool refuse(struct tls_context *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* False, for the caller to pass on. */
static bool refuse(struct tls_context *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->problem, sizeof t->problem, format, arguments);
    va_end(arguments);
    log_error("openvpn: %s", t->problem);
    return false;
}

static bool report(struct tls_context *t, const char *what, int code)
{
    char text[128];
    mbedtls_strerror(code, text, sizeof text);
    return refuse(t, "%s cannot be used: %s", what, text);
}

/* mbedTLS wants PEM with its NUL, which config_blob has behind `size`. */
static size_t parse_size(const struct blob *b)
{
    static const uint8_t pem[] = "-----BEGIN ";
    bool text = memmem(b->data, b->size, pem, sizeof pem - 1) != NULL;
    return b->size + (text ? 1 : 0);
}

static bool parse_certificates(struct tls_context *t, mbedtls_x509_crt *chain,
                               const struct blob *blob, const char *what)
{
    if (blob->size == 0)
        return true;
    struct certificates_result result;
    bool some =
        certificates_read(chain, bytes_of(blob->data, blob->size), &result);
    if (!some)
        return refuse(t, "%s cannot be used: %s", what, result.why);
    if (result.unread)
        log_warn("openvpn: %u of the certificates in %s cannot be read: %s",
                 result.unread, what, result.why);
    return true;
}

/* What ours may be used for is judged by the other end (openvpn serves with
 * any usage of its own as well). */
static void forget_usage(mbedtls_x509_crt *own)
{
    own->MBEDTLS_PRIVATE(ext_types) &= ~MBEDTLS_X509_EXT_KEY_USAGE;
}

static bool parse_key(struct tls_context *t, const struct blob *blob,
                      struct bytes password)
{
    int result = mbedtls_pk_parse_key(&t->key, blob->data, parse_size(blob),
                                      password.data, password.size, fill_random,
                                      &t->random);
    if (result == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        return refuse(t, "the private key is encrypted and no password for "
                         "it is known");
    t->password_wrong = result == MBEDTLS_ERR_PK_PASSWORD_MISMATCH;
    if (t->password_wrong)
        return refuse(t, "the password of the private key is wrong");
    const char *kind =
        certificates_foreign_key_of_text(bytes_of(blob->data, blob->size));
    if (result != 0 && kind)
        return refuse(t,
                      "the private key is %s, which the TLS library of "
                      "this program does not know",
                      kind);
    if (result != 0)
        return report(t, "the private key", result);
    result =
        mbedtls_pk_check_pair(&t->own.pk, &t->key, fill_random, &t->random);
    if (result != 0)
        return refuse(t, "the private key does not belong to the "
                         "certificate");
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

static bool take_certificate(struct tls_context *t, mbedtls_x509_crt *chain,
                             const struct blob *der)
{
    return parse_certificates(t, chain, der, "a certificate in pkcs12");
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
        return report(t, "the private key in pkcs12", result);
    size_t own = 0;
    while (own < p->certificate_count &&
           !key_belongs_to(t, &p->certificates[own]))
        own++;
    if (own == p->certificate_count)
        return refuse(t, "pkcs12: no certificate belongs to the private key");
    bool trusted = config->ca.size == 0 && config->fingerprint_count == 0;
    bool good = take_certificate(t, &t->own, &p->certificates[own]);
    for (size_t i = 0; i < p->certificate_count && good; i++)
        if (i != own)
            good = take_certificate(t, trusted ? &t->authorities : &t->own,
                                    &p->certificates[i]);
    if (!good)
        return false;
    if (trusted && t->authorities.raw.len == 0)
        return refuse(t,
                      "neither ca nor an authority in pkcs12: the %s "
                      "cannot be recognised",
                      t->rules.peer);
    forget_usage(&t->own);
    result = mbedtls_ssl_conf_own_cert(&t->config, &t->own, &t->key);
    return result == 0 || report(t, "pkcs12", result);
}

static bool load_pkcs12(struct tls_context *t, const struct config *config,
                        struct bytes password)
{
    struct pkcs12 p;
    enum pkcs12_result result = pkcs12_open(
        bytes_of(config->pkcs12.data, config->pkcs12.size), password, &p);
    t->password_wrong = result == PKCS12_PASSWORD;
    if (result != PKCS12_OK)
        return refuse(t, "pkcs12: %s", pkcs12_text(result));
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
    if (config->cert.size == 0 || config->key.size == 0)
        return refuse(t, "of cert and key the profile has only one");
    if (!parse_certificates(t, &t->own, &config->cert, "cert") ||
        !parse_certificates(t, &t->own, &config->extra_certs, "extra-certs") ||
        !parse_key(t, &config->key, password))
        return false;
    forget_usage(&t->own);
    int result = mbedtls_ssl_conf_own_cert(&t->config, &t->own, &t->key);
    return result == 0 || report(t, "cert", result);
}

static bool load_authorities(struct tls_context *t, const struct config *config)
{
    if (!parse_certificates(t, &t->authorities, &config->ca, "ca"))
        return false;
    if (config->crl.size > 0) {
        int result = mbedtls_x509_crl_parse(&t->revoked, config->crl.data,
                                            parse_size(&config->crl));
        if (result != 0)
            return report(t, "crl-verify", result);
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
        return report(t, "crl-verify", result);
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
        config->tls_version_max == CONFIG_TLS_1_1 || least > most)
        return refuse(t, "the profile leaves no TLS version: this program "
                         "speaks 1.2 and 1.3");
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

static bool set_offer(struct tls_context *t, const struct config *config)
{
    t->suites = tls_offer_suites(config);
    t->groups = config->tls_groups ? tls_offer_groups(config) : NULL;
    if (!t->suites || (config->tls_groups && !t->groups))
        return refuse(t, "no memory for TLS");
    mbedtls_ssl_conf_ciphersuites(&t->config, t->suites);
    if (t->groups && t->groups[0])
        mbedtls_ssl_conf_groups(&t->config, t->groups);
    return true;
}

enum { DH_BITS_LEAST = 2048 };

static bool set_defaults(struct tls_context *t)
{
    int endpoint = t->role == OPENVPN_SERVER ? MBEDTLS_SSL_IS_SERVER
                                             : MBEDTLS_SSL_IS_CLIENT;
    /* TLS 1.3 stands on PSA; more than one call is fine. */
    if (psa_crypto_init() != PSA_SUCCESS)
        return refuse(t, "the crypto library does not start");
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
        config->pkcs12.size == 0)
        return refuse(t,
                      "neither ca nor peer-fingerprint: the %s cannot be "
                      "recognised",
                      t->rules.peer);
    if (!set_defaults(t) || !load_authorities(t, config) ||
        !load_own(t, config, key_password) || !set_versions(t, config) ||
        !set_offer(t, config))
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
