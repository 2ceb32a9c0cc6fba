#include "gateway/openvpn/tls/peer_verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/sha256.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"

enum { FINGERPRINT_SIZE = 32 };

static void remember(struct peer_verify *v, const char *format,
                     va_list arguments) __attribute__((format(printf, 2, 0)));

/* The first reason found is the one that is told. */
static void remember(struct peer_verify *v, const char *format,
                     va_list arguments)
{
    if (v->reason[0] == 0)
        vsnprintf(v->reason, sizeof v->reason, format, arguments);
}

static void explain(struct peer_verify *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Why a flag of mbedTLS is set. */
static void explain(struct peer_verify *v, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remember(v, format, arguments);
    va_end(arguments);
}

static void refuse(struct peer_verify *v, uint32_t *flags, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

/* What only we find wrong. */
static void refuse(struct peer_verify *v, uint32_t *flags, const char *format,
                   ...)
{
    va_list arguments;
    *flags |= MBEDTLS_X509_BADCERT_OTHER;
    va_start(arguments, format);
    remember(v, format, arguments);
    va_end(arguments);
}

void peer_verify_init(struct peer_verify *v, const struct peer_rules *rules,
                      const mbedtls_x509_crl *revoked, uint32_t unix_time)
{
    *v = (struct peer_verify){
        .rules = rules, .revoked = revoked, .unix_time = unix_time};
}

static struct bytes bytes_of_buffer(const mbedtls_x509_buf *b)
{
    return bytes_of(b->p, b->len);
}

/* A name of the peer's choosing, fit for a line. */
static const char *quote_name(char out[LOG_QUOTE_SIZE],
                              const mbedtls_x509_buf *der)
{
    char name[DISTINGUISHED_NAME_SIZE];
    if (!distinguished_name_format(bytes_of_buffer(der), name, sizeof name))
        return "(unreadable)";
    return log_quote(out, bytes_of_text(name));
}

/* Dates. */

static int64_t unix_time_of(const mbedtls_x509_time *t)
{
    struct tm tm = {
        .tm_year = t->year - 1900,
        .tm_mon = t->mon - 1,
        .tm_mday = t->day,
        .tm_hour = t->hour,
        .tm_min = t->min,
        .tm_sec = t->sec,
    };
    return timegm(&tm);
}

enum { DATE_SIZE = 48 };

static const char *date_text(char out[DATE_SIZE], const mbedtls_x509_time *t)
{
    snprintf(out, DATE_SIZE, "%04d-%02d-%02d", t->year, t->mon, t->day);
    return out;
}

static const char *today_text(char out[DATE_SIZE], uint32_t unix_time)
{
    time_t seconds = unix_time;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        return "?";
    snprintf(out, DATE_SIZE, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday);
    return out;
}

enum { OWNER_SIZE = LOG_QUOTE_SIZE + 64 };

/* "the server's certificate", or which authority's. */
static const char *owner_text(char out[OWNER_SIZE], const struct peer_verify *v,
                              const mbedtls_x509_crt *certificate, int depth)
{
    char name[LOG_QUOTE_SIZE];
    if (depth == 0)
        snprintf(out, OWNER_SIZE, "the %s's certificate", v->rules->peer);
    else
        snprintf(out, OWNER_SIZE, "the certificate of its authority \"%s\"",
                 quote_name(name, &certificate->subject_raw));
    return out;
}

static void check_dates(struct peer_verify *v, const mbedtls_x509_crt *c,
                        int depth, uint32_t *flags)
{
    char owner[OWNER_SIZE], date[DATE_SIZE], today[DATE_SIZE];
    *flags &=
        ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    if (v->unix_time > unix_time_of(&c->valid_to)) {
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
        explain(v, "%s expired on %s (this machine's clock says %s)",
                owner_text(owner, v, c, depth), date_text(date, &c->valid_to),
                today_text(today, v->unix_time));
    } else if (v->unix_time < unix_time_of(&c->valid_from)) {
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
        explain(v, "%s is not valid before %s (this machine's clock says %s)",
                owner_text(owner, v, c, depth), date_text(date, &c->valid_from),
                today_text(today, v->unix_time));
    }
}

/* mbedTLS has judged the list by its own clock; the list of the certificate's
 * issuer is looked up to judge it by ours. */
static void check_list_dates(struct peer_verify *v, const mbedtls_x509_crt *c,
                             uint32_t *flags)
{
    char name[LOG_QUOTE_SIZE], date[DATE_SIZE];
    *flags &=
        ~(uint32_t)(MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE);
    for (const mbedtls_x509_crl *list = v->revoked; list; list = list->next) {
        if (!bytes_equal(bytes_of_buffer(&list->issuer_raw),
                         bytes_of_buffer(&c->issuer_raw)))
            continue;
        bool has_end = list->next_update.year != 0;
        if (has_end && v->unix_time > unix_time_of(&list->next_update)) {
            *flags |= MBEDTLS_X509_BADCRL_EXPIRED;
            explain(v, "the revocation list of \"%s\" expired on %s",
                    quote_name(name, &list->issuer_raw),
                    date_text(date, &list->next_update));
        } else if (v->unix_time < unix_time_of(&list->this_update)) {
            *flags |= MBEDTLS_X509_BADCRL_FUTURE;
            explain(v,
                    "the revocation list of \"%s\" is of %s, which this "
                    "machine's clock takes for the future",
                    quote_name(name, &list->issuer_raw),
                    date_text(date, &list->this_update));
        }
    }
}

/* The chain, as mbedTLS found it. */

static const struct {
    uint32_t flag;
    const char *text; /* after "the server's certificate" */
} chain_faults[] = {
    {MBEDTLS_X509_BADCERT_REVOKED, "was revoked by its authority"},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED,
     "cannot be checked: the revocation list is not signed by its authority"},
    {MBEDTLS_X509_BADCERT_MISSING, "was not sent"},
    {MBEDTLS_X509_BADCERT_BAD_MD,
     "is signed with a hash that tls-cert-profile does not allow (SHA-1?)"},
    {MBEDTLS_X509_BADCERT_BAD_PK,
     "has a kind of key that tls-cert-profile does not allow"},
    {MBEDTLS_X509_BADCERT_BAD_KEY,
     "has a key that is too short or a curve that tls-cert-profile does not "
     "allow"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, "may not be used for this (key usage)"},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE,
     "is not meant for this end of TLS (extended key usage)"},
    {MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     "is not meant for this end of TLS (nsCertType)"},
    {MBEDTLS_X509_BADCRL_BAD_MD | MBEDTLS_X509_BADCRL_BAD_PK |
         MBEDTLS_X509_BADCRL_BAD_KEY,
     "cannot be checked: the revocation list's signature is too weak"},
};

static void explain_chain(struct peer_verify *v, const char *owner,
                          uint32_t flags)
{
    for (size_t i = 0; i < sizeof chain_faults / sizeof *chain_faults; i++) {
        if (flags & chain_faults[i].flag)
            explain(v, "%s %s", owner, chain_faults[i].text);
    }
}

static void check_chain(struct peer_verify *v, const mbedtls_x509_crt *c,
                        int depth, uint32_t flags)
{
    char owner[OWNER_SIZE], name[LOG_QUOTE_SIZE];
    bool alone = bytes_equal(bytes_of_buffer(&c->issuer_raw),
                             bytes_of_buffer(&c->subject_raw));
    explain_chain(v, owner_text(owner, v, c, depth), flags);
    if (!(flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED))
        return;
    /* Where the chain ends in a root, it is that one that nobody knows. */
    if (alone && depth == 0)
        explain(v, "the %s's certificate is signed by nobody but itself",
                v->rules->peer);
    else
        explain(v,
                "the %s's certificate comes from an authority that the profile "
                "does not trust: \"%s\"",
                v->rules->peer, quote_name(name, &c->issuer_raw));
}

void peer_verify_explain(struct peer_verify *v, uint32_t flags)
{
    char owner[OWNER_SIZE];
    explain_chain(v, owner_text(owner, v, NULL, 0), flags);
    if (flags != 0)
        explain(v, "the %s's certificate does not verify", v->rules->peer);
}

/* What the profile demands on top. */

static void check_fingerprint(struct peer_verify *v, const mbedtls_x509_crt *c,
                              uint32_t *flags)
{
    uint8_t digest[FINGERPRINT_SIZE];
    char text[3 * FINGERPRINT_SIZE] = "";
    if (v->rules->fingerprint_count == 0)
        return;
    if (mbedtls_sha256(c->raw.p, c->raw.len, digest, 0) != 0) {
        refuse(v, flags, "no memory for a fingerprint");
        return;
    }
    for (size_t i = 0; i < v->rules->fingerprint_count; i++) {
        const struct blob *wanted = &v->rules->fingerprints[i];
        if (secret_equal(bytes_of(wanted->data, wanted->size),
                         bytes_of(digest, sizeof digest)))
            return;
    }
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 3 * i, sizeof text - 3 * i, "%02X%s", digest[i],
                 i + 1 < sizeof digest ? ":" : "");
    refuse(v, flags,
           "the %s's certificate has a fingerprint that the profile does not "
           "list: %s",
           v->rules->peer, text);
}

static bool has_extended_usage(const mbedtls_x509_crt *c, struct bytes oid)
{
    const mbedtls_x509_sequence *usage = &c->ext_key_usage;
    if (!mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE))
        return false;
    for (; usage; usage = usage->next) {
        if (bytes_equal(bytes_of_buffer(&usage->buf), oid))
            return true;
    }
    return false;
}

/* remote-cert-tls: a usage must be stated at all, and say which end. */
static void check_usage(struct peer_verify *v, const mbedtls_x509_crt *c,
                        const char *end, struct bytes oid, uint32_t *flags)
{
    if (!mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_KEY_USAGE))
        refuse(v, flags,
               "the %s's certificate does not say what it may be used for, "
               "remote-cert-tls %s wants that",
               v->rules->peer, end);
    else if (!has_extended_usage(c, oid))
        refuse(v, flags,
               "the %s's certificate is not one of a TLS %s, "
               "remote-cert-tls %s wants that",
               v->rules->peer, end, end);
}

static void check_netscape(struct peer_verify *v, const mbedtls_x509_crt *c,
                           struct bytes server_oid, uint32_t *flags)
{
    bool marked =
        mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_NS_CERT_TYPE) &&
        (c->MBEDTLS_PRIVATE(ns_cert_type) &
         MBEDTLS_X509_NS_CERT_TYPE_SSL_SERVER);
    if (!marked && !has_extended_usage(c, server_oid))
        refuse(v, flags,
               "the %s's certificate is not one of a server, ns-cert-type "
               "wants that",
               v->rules->peer);
}

static void check_key_usages(struct peer_verify *v, const mbedtls_x509_crt *c,
                             uint32_t *flags)
{
    if (v->rules->key_usage_count == 0)
        return;
    bool stated = mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_KEY_USAGE);
    for (size_t i = 0; stated && i < v->rules->key_usage_count; i++) {
        unsigned usage = v->rules->key_usages[i];
        if (usage == PEER_KEY_USAGE_ANY ||
            mbedtls_x509_crt_check_key_usage(c, usage) == 0)
            return;
    }
    refuse(v, flags,
           "the %s's certificate has none of the key usages that "
           "remote-cert-ku lists",
           v->rules->peer);
}

/* The names that OpenSSL has for the usages, long and short. */
static const struct {
    const char *name;
    const char *short_name;
    const char *dotted;
} usage_names[] = {
    {"TLS Web Server Authentication", "serverAuth", "1.3.6.1.5.5.7.3.1"},
    {"TLS Web Client Authentication", "clientAuth", "1.3.6.1.5.5.7.3.2"},
    {"Code Signing", "codeSigning", "1.3.6.1.5.5.7.3.3"},
    {"E-mail Protection", "emailProtection", "1.3.6.1.5.5.7.3.4"},
    {"Time Stamping", "timeStamping", "1.3.6.1.5.5.7.3.8"},
    {"OCSP Signing", "OCSPSigning", "1.3.6.1.5.5.7.3.9"},
    {"Any Extended Key Usage", "anyExtendedKeyUsage", "2.5.29.37.0"},
};

static const char *usage_to_dotted(const char *usage)
{
    for (size_t i = 0; i < sizeof usage_names / sizeof *usage_names; i++) {
        if (strcmp(usage, usage_names[i].name) == 0 ||
            strcmp(usage, usage_names[i].short_name) == 0)
            return usage_names[i].dotted;
    }
    return usage;
}

static void check_extended_usage(struct peer_verify *v,
                                 const mbedtls_x509_crt *c, uint32_t *flags)
{
    const char *wanted = v->rules->extended_usage;
    if (!wanted)
        return;
    const char *dotted = usage_to_dotted(wanted);
    mbedtls_asn1_buf oid = {0};
    bool found =
        mbedtls_oid_from_numeric_string(&oid, dotted, strlen(dotted)) == 0 &&
        has_extended_usage(c, bytes_of_buffer(&oid));
    mbedtls_free(oid.p);
    if (!found)
        refuse(v, flags,
               "the %s's certificate lacks the extended key usage \"%s\", "
               "remote-cert-eku wants that",
               v->rules->peer, wanted);
}

static void check_name(struct peer_verify *v, uint32_t *flags)
{
    const struct peer_rules *rules = v->rules;
    const char *name = v->common_name, *wanted = rules->name;
    char quoted[LOG_QUOTE_SIZE];
    bool good = true;
    switch (rules->name_type) {
    case CONFIG_NAME_NONE:
        return;
    case CONFIG_NAME_SUBJECT:
        name = v->subject;
        good = strcmp(name, wanted) == 0;
        break;
    case CONFIG_NAME_CN:
        good = strcmp(name, wanted) == 0;
        break;
    case CONFIG_NAME_PREFIX:
        good = strncmp(name, wanted, strlen(wanted)) == 0;
        break;
    }
    if (!good || name[0] == 0)
        refuse(v, flags, "the %s's name is \"%s\", the profile wants %s\"%s\"",
               rules->peer, log_quote(quoted, bytes_of_text(name)),
               rules->name_type == CONFIG_NAME_PREFIX ? "one that starts with "
                                                      : "",
               wanted);
}

/* TLS with forward secrecy signs, and mbedTLS wants digitalSignature for that;
 * OpenSSL is content with any usage that has to do with TLS, so that servers
 * are in use whose certificates lack it. It decides here, and the library is
 * not asked again. */
static void check_tls_usage(struct peer_verify *v, mbedtls_x509_crt *c,
                            uint32_t *flags)
{
    bool client = strcmp(v->rules->peer, "client") == 0;
    unsigned usages[] = {
        MBEDTLS_X509_KU_DIGITAL_SIGNATURE,
        MBEDTLS_X509_KU_KEY_AGREEMENT,
        client ? MBEDTLS_X509_KU_KEY_AGREEMENT
               : MBEDTLS_X509_KU_KEY_ENCIPHERMENT,
    };
    bool good = v->rules->fingerprint_instead;
    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
        good = good || mbedtls_x509_crt_check_key_usage(c, usages[i]) == 0;
    if (!good)
        refuse(v, flags,
               "the %s's certificate may not be used for TLS (key usage)",
               v->rules->peer);
    c->MBEDTLS_PRIVATE(ext_types) &= ~MBEDTLS_X509_EXT_KEY_USAGE;
}

static void check_own(struct peer_verify *v, mbedtls_x509_crt *c,
                      uint32_t *flags)
{
    static const uint8_t server_auth[] = MBEDTLS_OID_SERVER_AUTH;
    static const uint8_t client_auth[] = MBEDTLS_OID_CLIENT_AUTH;
    struct bytes server_oid = bytes_of(server_auth, sizeof server_auth - 1);
    struct bytes client_oid = bytes_of(client_auth, sizeof client_auth - 1);
    /* A name that cannot be printed stays "", and matches nothing. */
    if (!distinguished_name_format(bytes_of_buffer(&c->subject_raw), v->subject,
                                   sizeof v->subject))
        v->subject[0] = 0;
    if (!distinguished_name_common(bytes_of_buffer(&c->subject_raw),
                                   v->common_name, sizeof v->common_name))
        v->common_name[0] = 0;
    check_fingerprint(v, c, flags);
    if (v->rules->server_usage)
        check_usage(v, c, "server", server_oid, flags);
    if (v->rules->client_usage)
        check_usage(v, c, "client", client_oid, flags);
    if (v->rules->netscape_server)
        check_netscape(v, c, server_oid, flags);
    check_key_usages(v, c, flags);
    check_extended_usage(v, c, flags);
    check_name(v, flags);
    check_tls_usage(v, c, flags);
}

int peer_verify_callback(void *context, mbedtls_x509_crt *certificate,
                         int depth, uint32_t *flags)
{
    struct peer_verify *v = context;
    /* A fingerprint names one certificate whole, so that its chain and dates
     * say nothing more (openvpn: verify_hash_no_ca). */
    if (v->rules->fingerprint_instead) {
        *flags = 0;
    } else {
        check_dates(v, certificate, depth, flags);
        check_list_dates(v, certificate, flags);
        check_chain(v, certificate, depth, *flags);
    }
    if (depth == 0)
        check_own(v, certificate, flags);
    return 0;
}
