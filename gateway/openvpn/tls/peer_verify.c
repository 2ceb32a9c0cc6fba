#include "gateway/openvpn/tls/peer_verify.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/crypto/digest.h"
#include "gateway/openvpn/tls/certificate_dates.h"

#define OID_SERVER_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x02"

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

/* A fault that the library found. */
static void explain(struct peer_verify *v, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remember(v, format, arguments);
    va_end(arguments);
}

static void refuse(struct peer_verify *v, uint32_t *faults, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

/* Refuses for a reason that only we see. */
static void refuse(struct peer_verify *v, uint32_t *faults, const char *format,
                   ...)
{
    va_list arguments;
    *faults |= CERTIFICATE_REFUSED;
    va_start(arguments, format);
    remember(v, format, arguments);
    va_end(arguments);
}

void peer_verify_init(struct peer_verify *v, const struct peer_rules *rules,
                      const struct revocations *revoked, uint32_t unix_time)
{
    *v = (struct peer_verify){
        .rules = rules, .revoked = revoked, .unix_time = unix_time};
}

/* A name of the peer's choosing, fit for a line. */
static const char *quote_name(char out[LOG_QUOTE_SIZE], struct bytes der)
{
    char name[DISTINGUISHED_NAME_SIZE];
    if (!distinguished_name_format(der, name, sizeof name))
        return "(unreadable)";
    return log_quote(out, bytes_of_text(name));
}

/* Dates. */

enum { OWNER_SIZE = LOG_QUOTE_SIZE + 64 };

/* "the server's certificate", or which authority's. */
static const char *owner_text(char out[OWNER_SIZE], const struct peer_verify *v,
                              const struct certificate *certificate,
                              unsigned depth)
{
    char name[LOG_QUOTE_SIZE];
    if (depth == 0)
        snprintf(out, OWNER_SIZE, "the %s's certificate", v->rules->peer);
    else
        snprintf(out, OWNER_SIZE, "the certificate of its authority \"%s\"",
                 quote_name(name, certificate->subject));
    return out;
}

static void check_dates(struct peer_verify *v, const struct certificate *c,
                        unsigned depth, uint32_t *faults)
{
    char owner[OWNER_SIZE];
    char day[CERTIFICATE_DATES_DAY_SIZE], today[CERTIFICATE_DATES_DAY_SIZE];
    *faults &= ~(uint32_t)(CERTIFICATE_EXPIRED | CERTIFICATE_FUTURE);
    if (v->unix_time > c->valid_to) {
        *faults |= CERTIFICATE_EXPIRED;
        explain(v, "%s expired on %s (this machine's clock says %s)",
                owner_text(owner, v, c, depth),
                certificate_dates_day(day, c->valid_to),
                certificate_dates_day(today, v->unix_time));
    } else if (v->unix_time < c->valid_from) {
        *faults |= CERTIFICATE_FUTURE;
        explain(v, "%s is not valid before %s (this machine's clock says %s)",
                owner_text(owner, v, c, depth),
                certificate_dates_day(day, c->valid_from),
                certificate_dates_day(today, v->unix_time));
    }
}

/* The library has judged the list by its own clock; the list of the
 * certificate's issuer is looked up to judge it by ours. */
static void check_list_dates(struct peer_verify *v, const struct certificate *c,
                             uint32_t *faults)
{
    char name[LOG_QUOTE_SIZE], day[CERTIFICATE_DATES_DAY_SIZE];
    struct revocation_list list;
    *faults &= ~(uint32_t)(CERTIFICATE_LIST_EXPIRED | CERTIFICATE_LIST_FUTURE);
    for (size_t i = 0; v->revoked && revocations_at(v->revoked, i, &list);
         i++) {
        if (!bytes_equal(list.issuer, c->issuer))
            continue;
        if (list.ends && v->unix_time > list.until) {
            *faults |= CERTIFICATE_LIST_EXPIRED;
            explain(v, "the revocation list of \"%s\" expired on %s",
                    quote_name(name, list.issuer),
                    certificate_dates_day(day, list.until));
        } else if (v->unix_time < list.since) {
            *faults |= CERTIFICATE_LIST_FUTURE;
            explain(v,
                    "the revocation list of \"%s\" is of %s, which this "
                    "machine's clock takes for the future",
                    quote_name(name, list.issuer),
                    certificate_dates_day(day, list.since));
        }
    }
}

/* The chain, as the library found it. */

static const struct {
    uint32_t fault;
    const char *text; /* after "the server's certificate" */
} chain_faults[] = {
    {CERTIFICATE_REVOKED, "was revoked by its authority"},
    {CERTIFICATE_LIST_UNTRUSTED,
     "cannot be checked: the revocation list is not signed by its authority"},
    {CERTIFICATE_MISSING, "was not sent"},
    {CERTIFICATE_WEAK_HASH,
     "is signed with a hash that tls-cert-profile does not allow (SHA-1?)"},
    {CERTIFICATE_KEY_KIND,
     "has a kind of key that tls-cert-profile does not allow"},
    {CERTIFICATE_WEAK_KEY,
     "has a key that is too short or a curve that tls-cert-profile does not "
     "allow"},
    {CERTIFICATE_BAD_USAGE, "may not be used for this (key usage)"},
    {CERTIFICATE_BAD_PURPOSE,
     "is not meant for this end of TLS (extended key usage)"},
    {CERTIFICATE_BAD_NETSCAPE, "is not meant for this end of TLS (nsCertType)"},
    {CERTIFICATE_LIST_WEAK,
     "cannot be checked: the revocation list's signature is too weak"},
};

static void explain_chain(struct peer_verify *v, const char *owner,
                          uint32_t faults)
{
    for (size_t i = 0; i < sizeof chain_faults / sizeof *chain_faults; i++) {
        if (faults & chain_faults[i].fault)
            explain(v, "%s %s", owner, chain_faults[i].text);
    }
}

static void check_chain(struct peer_verify *v, const struct certificate *c,
                        unsigned depth, uint32_t faults)
{
    char owner[OWNER_SIZE], name[LOG_QUOTE_SIZE];
    bool alone = bytes_equal(c->issuer, c->subject);
    explain_chain(v, owner_text(owner, v, c, depth), faults);
    if (!(faults & CERTIFICATE_UNTRUSTED))
        return;
    /* If the chain ends in a root, it is the root that nobody knows. */
    if (alone && depth == 0)
        explain(v, "the %s's certificate is signed by nobody but itself",
                v->rules->peer);
    else
        explain(v,
                "the %s's certificate comes from an authority that the profile "
                "does not trust: \"%s\"",
                v->rules->peer, quote_name(name, c->issuer));
}

void peer_verify_explain(struct peer_verify *v, uint32_t faults)
{
    char owner[OWNER_SIZE];
    explain_chain(v, owner_text(owner, v, NULL, 0), faults);
    if (faults != 0)
        explain(v, "the %s's certificate does not verify", v->rules->peer);
}

/* The profile's further demands. */

static void check_fingerprint(struct peer_verify *v,
                              const struct certificate *c, uint32_t *faults)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    char text[3 * DIGEST_SHA256_SIZE] = "";
    if (v->rules->fingerprint_count == 0)
        return;
    if (!digest_sha256(c->der, digest)) {
        refuse(v, faults, "no memory for a fingerprint");
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
    refuse(v, faults,
           "the %s's certificate has a fingerprint that the profile does not "
           "list: %s",
           v->rules->peer, text);
}

static bool has_purpose(const struct certificate *c, struct bytes oid)
{
    for (size_t i = 0; i < c->purpose_count; i++)
        if (bytes_equal(c->purposes[i], oid))
            return true;
    return false;
}

/* All of these usages. A certificate that states none has them all; the last
 * two restrict what keyAgreement means, so that they must not be more. */
static bool has_usage(const struct certificate *c, unsigned wanted)
{
    unsigned only = CERTIFICATE_ENCIPHER_ONLY | CERTIFICATE_DECIPHER_ONLY;
    unsigned missing = wanted & ~only & ~(unsigned)c->usage;
    unsigned surplus = c->usage & only & ~wanted;
    return !c->states_usage || (missing == 0 && surplus == 0);
}

/* remote-cert-tls: a usage must be stated at all, and say which end. */
static void check_usage(struct peer_verify *v, const struct certificate *c,
                        const char *end, struct bytes oid, uint32_t *faults)
{
    if (!c->states_usage)
        refuse(v, faults,
               "the %s's certificate does not say what it may be used for, "
               "remote-cert-tls %s wants that",
               v->rules->peer, end);
    else if (!has_purpose(c, oid))
        refuse(v, faults,
               "the %s's certificate is not one of a TLS %s, "
               "remote-cert-tls %s wants that",
               v->rules->peer, end, end);
}

static void check_netscape(struct peer_verify *v, const struct certificate *c,
                           struct bytes server_oid, uint32_t *faults)
{
    if (!c->netscape_server && !has_purpose(c, server_oid))
        refuse(v, faults,
               "the %s's certificate is not one of a server, ns-cert-type "
               "wants that",
               v->rules->peer);
}

static void check_key_usages(struct peer_verify *v, const struct certificate *c,
                             uint32_t *faults)
{
    if (v->rules->key_usage_count == 0)
        return;
    for (size_t i = 0; c->states_usage && i < v->rules->key_usage_count; i++) {
        unsigned usage = v->rules->key_usages[i];
        if (usage == PEER_KEY_USAGE_ANY || has_usage(c, usage))
            return;
    }
    refuse(v, faults,
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

/* Compared as text, as OpenVPN does. */
static bool has_purpose_of_number(const struct certificate *c,
                                  const char *dotted)
{
    char number[DISTINGUISHED_NAME_OID_SIZE];
    for (size_t i = 0; i < c->purpose_count; i++) {
        struct writer w = writer_of(number, sizeof number);
        distinguished_name_write_oid(&w, c->purposes[i]);
        if (writer_ok(&w) &&
            bytes_equal(writer_bytes(&w), bytes_of_text(dotted)))
            return true;
    }
    return false;
}

static void check_extended_usage(struct peer_verify *v,
                                 const struct certificate *c, uint32_t *faults)
{
    const char *wanted = v->rules->extended_usage;
    if (wanted && !has_purpose_of_number(c, usage_to_dotted(wanted)))
        refuse(v, faults,
               "the %s's certificate lacks the extended key usage \"%s\", "
               "remote-cert-eku wants that",
               v->rules->peer, wanted);
}

static void check_name(struct peer_verify *v, uint32_t *faults)
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
        refuse(v, faults, "the %s's name is \"%s\", the profile wants %s\"%s\"",
               rules->peer, log_quote(quoted, bytes_of_text(name)),
               rules->name_type == CONFIG_NAME_PREFIX ? "one that starts with "
                                                      : "",
               wanted);
}

/* OpenSSL is content with any usage that has to do with TLS, and servers are in
 * use whose certificates lack the digitalSignature that TLS with forward
 * secrecy needs. */
static void check_tls_usage(struct peer_verify *v, const struct certificate *c,
                            uint32_t *faults)
{
    bool client = strcmp(v->rules->peer, "client") == 0;
    bool good = v->rules->fingerprint_instead ||
                has_usage(c, CERTIFICATE_DIGITAL_SIGNATURE) ||
                has_usage(c, CERTIFICATE_KEY_AGREEMENT) ||
                (!client && has_usage(c, CERTIFICATE_KEY_ENCIPHERMENT));
    if (!good)
        refuse(v, faults,
               "the %s's certificate may not be used for TLS (key usage)",
               v->rules->peer);
}

static void check_own(struct peer_verify *v, const struct certificate *c,
                      uint32_t *faults)
{
    struct bytes server_oid = bytes_of_text(OID_SERVER_AUTH);
    struct bytes client_oid = bytes_of_text(OID_CLIENT_AUTH);
    /* A name that cannot be printed stays "", and matches nothing. */
    if (!distinguished_name_format(c->subject, v->subject, sizeof v->subject))
        v->subject[0] = 0;
    if (!distinguished_name_common(c->subject, v->common_name,
                                   sizeof v->common_name))
        v->common_name[0] = 0;
    check_fingerprint(v, c, faults);
    if (v->rules->server_usage)
        check_usage(v, c, "server", server_oid, faults);
    if (v->rules->client_usage)
        check_usage(v, c, "client", client_oid, faults);
    if (v->rules->netscape_server)
        check_netscape(v, c, server_oid, faults);
    check_key_usages(v, c, faults);
    check_extended_usage(v, c, faults);
    check_name(v, faults);
    check_tls_usage(v, c, faults);
}

static uint32_t decide(void *context, const struct certificate *c,
                       unsigned depth, uint32_t faults)
{
    struct peer_verify *v = context;
    /* A fingerprint names one certificate whole, so that its chain and dates
     * say nothing more (openvpn: verify_hash_no_ca). */
    if (v->rules->fingerprint_instead) {
        faults = 0;
    } else {
        check_dates(v, c, depth, &faults);
        check_list_dates(v, c, &faults);
        check_chain(v, c, depth, faults);
    }
    if (depth == 0)
        check_own(v, c, &faults);
    return faults;
}

struct certificate_judge peer_verify_judge(struct peer_verify *v)
{
    return (struct certificate_judge){v, decide};
}
