#include "gateway/openvpn/tls/tls_context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/crypto/pkcs12.h"
#include "gateway/openvpn/tls/tls_offer.h"

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
    log_error("tunnel: %s", t->problem);
    return false;
}

static bool parse_certificates(struct tls_context *t,
                               struct certificates *chain,
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
        log_warn("tunnel: %u of the certificates in %s cannot be read: %s",
                 result.unread, what, result.why);
    return true;
}

static bool read_key(struct tls_context *t, const struct blob *blob,
                     struct bytes password, const char *what)
{
    char why[PRIVATE_KEY_WHY_SIZE];
    enum private_key_result result = private_key_read(
        bytes_of(blob->data, blob->size), password, &t->random, &t->key, why);
    t->password_wrong = result == PRIVATE_KEY_PASSWORD;
    switch (result) {
    case PRIVATE_KEY_OK:
        return true;
    case PRIVATE_KEY_LOCKED:
        return refuse(t, "%s is encrypted and no password for it is known",
                      what);
    case PRIVATE_KEY_PASSWORD:
        return refuse(t, "the password of %s is wrong", what);
    case PRIVATE_KEY_FOREIGN:
        return refuse(t,
                      "%s is %s, which the TLS library of this program does "
                      "not know",
                      what, why);
    case PRIVATE_KEY_BAD:
        break;
    }
    return refuse(t, "%s cannot be used: %s", what, why);
}

static bool show(struct tls_context *t)
{
    return tls_end_show(t->end, t->own, t->key) ||
           refuse(t, "no memory for TLS");
}

static bool key_belongs_to(struct tls_context *t, const struct blob *der)
{
    struct certificates_result ignored;
    struct certificates *alone = certificates_new();
    bool belongs =
        alone &&
        certificates_read(alone, bytes_of(der->data, der->size), &ignored) &&
        private_key_belongs(t->key, alone, 0, &t->random);
    certificates_free(alone);
    return belongs;
}

static bool take_certificate(struct tls_context *t, struct certificates *chain,
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
    if (!read_key(t, &p->key, bytes_of(NULL, 0), "the private key in pkcs12"))
        return false;
    size_t own = 0;
    while (own < p->certificate_count &&
           !key_belongs_to(t, &p->certificates[own]))
        own++;
    if (own == p->certificate_count)
        return refuse(t, "pkcs12: no certificate belongs to the private key");
    bool trusted = config->ca.size == 0 && config->fingerprint_count == 0;
    bool good = take_certificate(t, t->own, &p->certificates[own]);
    for (size_t i = 0; i < p->certificate_count && good; i++)
        if (i != own)
            good = take_certificate(t, trusted ? t->authorities : t->own,
                                    &p->certificates[i]);
    if (!good)
        return false;
    if (trusted && certificates_count(t->authorities) == 0)
        return refuse(t,
                      "neither ca nor an authority in pkcs12: the %s "
                      "cannot be recognised",
                      t->rules.peer);
    return show(t);
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
        return refuse(t, "the profile has only one of cert and key");
    if (!parse_certificates(t, t->own, &config->cert, "cert") ||
        !parse_certificates(t, t->own, &config->extra_certs, "extra-certs") ||
        !read_key(t, &config->key, password, "the private key"))
        return false;
    if (!private_key_belongs(t->key, t->own, 0, &t->random))
        return refuse(t, "the private key does not belong to the certificate");
    return show(t);
}

static bool load_authorities(struct tls_context *t, const struct config *config)
{
    return parse_certificates(t, t->authorities, &config->ca, "ca") &&
           (config->crl.size == 0 || tls_context_revoke(t, &config->crl));
}

void tls_context_demand(struct tls_context *t, enum tls_end_demand demand)
{
    tls_end_demand(t->end, demand);
}

bool tls_context_revoke(struct tls_context *t, const struct blob *list)
{
    char why[REVOCATIONS_WHY_SIZE];
    return revocations_read(t->revoked, bytes_of(list->data, list->size),
                            why) ||
           refuse(t, "crl-verify cannot be used: %s", why);
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

/* The profile's limits on a chain. */

static enum certificate_strength strength_of(enum config_cert_profile profile)
{
    switch (profile) {
    case CONFIG_PROFILE_LEGACY:
        return CERTIFICATE_LEGACY;
    case CONFIG_PROFILE_PREFERRED:
        return CERTIFICATE_PREFERRED;
    case CONFIG_PROFILE_SUITEB:
        return CERTIFICATE_SUITEB;
    case CONFIG_PROFILE_INSECURE:
        return CERTIFICATE_INSECURE;
    }
    return CERTIFICATE_PREFERRED;
}

/* Versions, cipher suites and groups. */

static bool set_versions(struct tls_context *t, const struct config *config)
{
    enum tls_end_version newest = TLS_END_1_3, oldest = TLS_END_1_2;
    if (config->tls_version_min == CONFIG_TLS_1_3)
        oldest = TLS_END_1_3;
    if (config->tls_version_max == CONFIG_TLS_1_2)
        newest = TLS_END_1_2;
    if (config->tls_version_max == CONFIG_TLS_1_0 ||
        config->tls_version_max == CONFIG_TLS_1_1 || oldest > newest)
        return refuse(t, "the profile leaves no TLS version: this program "
                         "speaks 1.2 and 1.3");
    t->oldest = oldest;
    t->newest = newest;
    tls_end_set_versions(t->end, oldest, newest);
    return true;
}

bool tls_context_offer_tls_1_3(struct tls_context *t, bool offer)
{
    enum tls_end_version newest = offer ? TLS_END_1_3 : TLS_END_1_2;
    if (newest < t->oldest || newest > t->newest)
        return false;
    tls_end_set_versions(t->end, t->oldest, newest);
    return true;
}

static bool set_offer(struct tls_context *t, const struct config *config)
{
    uint16_t *suites = tls_offer_suites(config);
    uint16_t *groups = config->tls_groups ? tls_offer_groups(config) : NULL;
    bool good =
        suites && tls_end_set_suites(t->end, suites) &&
        (!config->tls_groups ||
         (groups && (!groups[0] || tls_end_set_groups(t->end, groups))));
    free(suites);
    free(groups);
    return good || refuse(t, "no memory for TLS");
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
    if (config->ca.size == 0 && config->fingerprint_count == 0 &&
        config->pkcs12.size == 0)
        return refuse(t,
                      "neither ca nor peer-fingerprint: the %s cannot be "
                      "recognised",
                      t->rules.peer);
    t->end = tls_end_new(
        role == OPENVPN_SERVER ? TLS_END_SERVER : TLS_END_CLIENT, random);
    t->authorities = certificates_new();
    t->own = certificates_new();
    t->revoked = revocations_new();
    if (!t->end || !t->authorities || !t->own || !t->revoked)
        return refuse(t, "no memory for TLS");
    if (!load_authorities(t, config) || !load_own(t, config, key_password) ||
        !set_versions(t, config) || !set_offer(t, config))
        return false;
    if (!tls_end_trust(t->end, t->authorities, t->revoked))
        return refuse(t, "no memory for TLS");
    tls_end_set_strength(t->end, strength_of(config->cert_profile));
    return true;
}

void tls_context_clear(struct tls_context *t)
{
    tls_end_free(t->end);
    certificates_free(t->authorities);
    certificates_free(t->own);
    revocations_free(t->revoked);
    private_key_free(t->key);
    t->end = NULL;
    t->authorities = t->own = NULL;
    t->revoked = NULL;
    t->key = NULL;
}
