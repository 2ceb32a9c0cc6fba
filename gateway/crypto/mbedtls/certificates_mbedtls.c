#include "gateway/crypto/mbedtls/certificates_mbedtls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END   "-----END CERTIFICATE-----"

/* Kinds of keys by their object identifiers in DER. */
static const struct {
    const char *oid;
    const char *text;
} foreign[] = {
    {"\x06\x03\x2b\x65\x70", "an Ed25519 key"},
    {"\x06\x03\x2b\x65\x71", "an Ed448 key"},
    {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "an RSA-PSS key"},
};

const char *certificates_mbedtls_foreign_key(struct bytes der)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (der.size &&
            memmem(der.data, der.size, foreign[i].oid, strlen(foreign[i].oid)))
            return foreign[i].text;
    return NULL;
}

/* The bytes of one PEM block that starts with `begin`, if it is in clear;
 * *used is how much of the text that was. */
static bool open_block(struct bytes text, const char *begin, const char *end,
                       mbedtls_pem_context *pem, size_t *used)
{
    /* An encrypted one wants a password: none is given. */
    return mbedtls_pem_read_buffer(pem, begin, end, text.data, NULL, 0, used) ==
           0;
}

const char *certificates_mbedtls_foreign_key_of_text(struct bytes text)
{
    mbedtls_pem_context pem;
    size_t used;
    size_t size;
    mbedtls_pem_init(&pem);
    const char *kind = NULL;
    if (open_block(text, "-----BEGIN PRIVATE KEY-----",
                   "-----END PRIVATE KEY-----", &pem, &used)) {
        const unsigned char *der = mbedtls_pem_get_buffer(&pem, &size);
        kind = certificates_mbedtls_foreign_key(bytes_of(der, size));
    }
    mbedtls_pem_free(&pem); /* wipes */
    return kind;
}

/* --- Extensions that mbedTLS does not know ------------------------------- */

static bool is_extension(const mbedtls_x509_buf *oid, const char *expected)
{
    size_t size = strlen(expected);
    return oid->len == size && memcmp(oid->p, expected, size) == 0;
}

static int judge_extension(void *context, mbedtls_x509_crt const *crt,
                           mbedtls_x509_buf const *oid, int critical,
                           const unsigned char *at, const unsigned char *end)
{
    (void)crt, (void)at, (void)end;
    struct certificates_result *result = context;
    /* policyConstraints, inhibitAnyPolicy, certificatePolicies */
    if (!critical || is_extension(oid, MBEDTLS_OID_POLICY_CONSTRAINTS) ||
        is_extension(oid, MBEDTLS_OID_INIHIBIT_ANYPOLICY) ||
        is_extension(oid, MBEDTLS_OID_CERTIFICATE_POLICIES))
        return 0;
    bool names = is_extension(oid, MBEDTLS_OID_NAME_CONSTRAINTS);
    if (result->why[0] == 0)
        snprintf(result->why, sizeof result->why,
                 "it has %s, which the TLS library of this program cannot "
                 "check",
                 names ? "critical nameConstraints"
                       : "a critical extension that is not known here");
    return MBEDTLS_ERR_X509_INVALID_EXTENSIONS;
}

/* RFC 5280 wants basicConstraints of an authority; OpenSSL is content with
 * keyCertSign where there are none. */
static void settle_authority(mbedtls_x509_crt *c)
{
    bool bare =
        !mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_BASIC_CONSTRAINTS);
    bool signs =
        mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_KEY_USAGE) &&
        mbedtls_x509_crt_check_key_usage(c, MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0;
    if (bare && signs)
        c->MBEDTLS_PRIVATE(ca_istrue) = 1;
}

/* --- One certificate, and all of a file ---------------------------------- */

static void explain(struct certificates_result *result, struct bytes der,
                    int code)
{
    char text[CERTIFICATES_WHY_SIZE - 32];
    const char *kind = certificates_mbedtls_foreign_key(der);
    if (result->why[0] != 0)
        return;
    mbedtls_strerror(code, text, sizeof text);
    if (kind)
        snprintf(result->why, sizeof result->why,
                 "it has or is signed with %s, which the TLS library of this "
                 "program does not know",
                 kind);
    else
        snprintf(result->why, sizeof result->why, "%s", text);
}

static void read_one(mbedtls_x509_crt *chain, struct bytes der,
                     struct certificates_result *result)
{
    int code = mbedtls_x509_crt_parse_der_with_ext_cb(
        chain, der.data, der.size, 1, judge_extension, result);
    if (code != 0) {
        explain(result, der, code);
        result->unread++;
        return;
    }
    mbedtls_x509_crt *last = chain;
    while (last->next)
        last = last->next;
    settle_authority(last);
    result->read++;
}

static void read_all(mbedtls_x509_crt *chain, struct bytes text,
                     struct certificates_result *result)
{
    static const char begin[] = BEGIN;
    const uint8_t *at;
    while ((at = memmem(text.data, text.size, begin, sizeof begin - 1))) {
        mbedtls_pem_context pem;
        size_t used = 0, size;
        text = bytes_of(at, text.size - (size_t)(at - text.data));
        mbedtls_pem_init(&pem);
        if (open_block(text, BEGIN, END, &pem, &used)) {
            const unsigned char *der = mbedtls_pem_get_buffer(&pem, &size);
            read_one(chain, bytes_of(der, size), result);
        } else {
            result->unread++;
            used = sizeof begin - 1;
        }
        mbedtls_pem_free(&pem);
        text = bytes_of(text.data + used, text.size - used);
    }
}

bool certificates_read(struct certificates *c, struct bytes text,
                       struct certificates_result *result)
{
    *result = (struct certificates_result){0};
    if (certificates_is_pem(text))
        read_all(&c->chain, text, result);
    else
        read_one(&c->chain, text, result);
    return result->read > 0;
}

/* --- What was read ------------------------------------------------------- */

struct certificates *certificates_new(void)
{
    struct certificates *c = calloc(1, sizeof *c);
    if (c)
        mbedtls_x509_crt_init(&c->chain);
    return c;
}

void certificates_free(struct certificates *c)
{
    if (!c)
        return;
    mbedtls_x509_crt_free(&c->chain);
    free(c);
}

size_t certificates_count(const struct certificates *c)
{
    size_t count = 0;
    for (const mbedtls_x509_crt *at = &c->chain; at && at->raw.len;
         at = at->next)
        count++;
    return count;
}

static struct bytes bytes_of_buffer(const mbedtls_x509_buf *b)
{
    return bytes_of(b->p, b->len);
}

int64_t certificates_mbedtls_time(const mbedtls_x509_time *t)
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

static void add_purposes(struct certificate *out, const mbedtls_x509_crt *c)
{
    const mbedtls_x509_sequence *at = &c->ext_key_usage;
    if (!mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE))
        return;
    for (; at && out->purpose_count < CERTIFICATE_PURPOSES_MAX; at = at->next)
        out->purposes[out->purpose_count++] = bytes_of_buffer(&at->buf);
}

static void describe(const mbedtls_x509_crt *c, struct certificate *out)
{
    *out = (struct certificate){
        .der = bytes_of_buffer(&c->raw),
        .subject = bytes_of_buffer(&c->subject_raw),
        .issuer = bytes_of_buffer(&c->issuer_raw),
        .valid_from = certificates_mbedtls_time(&c->valid_from),
        .valid_to = certificates_mbedtls_time(&c->valid_to),
        .states_usage =
            mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_KEY_USAGE),
        .usage = (uint16_t)c->MBEDTLS_PRIVATE(key_usage),
        .netscape_server =
            mbedtls_x509_crt_has_ext_type(c, MBEDTLS_X509_EXT_NS_CERT_TYPE) &&
            c->MBEDTLS_PRIVATE(ns_cert_type) &
                MBEDTLS_X509_NS_CERT_TYPE_SSL_SERVER,
    };
    add_purposes(out, c);
}

bool certificates_at(const struct certificates *c, size_t index,
                     struct certificate *out)
{
    const mbedtls_x509_crt *at = c ? &c->chain : NULL;
    while (index-- > 0 && at)
        at = at->next;
    if (!at || !at->raw.len)
        return false;
    describe(at, out);
    return true;
}

/* --- Verification -------------------------------------------------------- */

/* The first of those that mean the same fault is the one that is written. */
static const struct {
    uint32_t flag, fault;
} meanings[] = {
    {MBEDTLS_X509_BADCERT_EXPIRED, CERTIFICATE_EXPIRED},
    {MBEDTLS_X509_BADCERT_FUTURE, CERTIFICATE_FUTURE},
    {MBEDTLS_X509_BADCERT_REVOKED, CERTIFICATE_REVOKED},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, CERTIFICATE_UNTRUSTED},
    {MBEDTLS_X509_BADCERT_MISSING, CERTIFICATE_MISSING},
    {MBEDTLS_X509_BADCERT_BAD_MD, CERTIFICATE_WEAK_HASH},
    {MBEDTLS_X509_BADCERT_BAD_PK, CERTIFICATE_KEY_KIND},
    {MBEDTLS_X509_BADCERT_BAD_KEY, CERTIFICATE_WEAK_KEY},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, CERTIFICATE_BAD_USAGE},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, CERTIFICATE_BAD_PURPOSE},
    {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, CERTIFICATE_BAD_NETSCAPE},
    {MBEDTLS_X509_BADCRL_EXPIRED, CERTIFICATE_LIST_EXPIRED},
    {MBEDTLS_X509_BADCRL_FUTURE, CERTIFICATE_LIST_FUTURE},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED, CERTIFICATE_LIST_UNTRUSTED},
    {MBEDTLS_X509_BADCRL_BAD_MD, CERTIFICATE_LIST_WEAK},
    {MBEDTLS_X509_BADCRL_BAD_PK, CERTIFICATE_LIST_WEAK},
    {MBEDTLS_X509_BADCRL_BAD_KEY, CERTIFICATE_LIST_WEAK},
};

enum { MEANINGS = sizeof meanings / sizeof *meanings };

uint32_t certificates_mbedtls_faults(uint32_t flags)
{
    uint32_t faults = 0;
    for (size_t i = 0; i < MEANINGS; i++)
        if (flags & meanings[i].flag) {
            faults |= meanings[i].fault;
            flags &= ~meanings[i].flag;
        }
    return faults | (flags ? CERTIFICATE_REFUSED : 0);
}

uint32_t certificates_mbedtls_flags(uint32_t faults)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < MEANINGS; i++)
        if (faults & meanings[i].fault) {
            flags |= meanings[i].flag;
            faults &= ~meanings[i].fault;
        }
    return flags | (faults ? MBEDTLS_X509_BADCERT_OTHER : 0);
}

int certificates_mbedtls_decide(void *context, mbedtls_x509_crt *certificate,
                                int depth, uint32_t *flags)
{
    const struct certificate_judge *judge = context;
    struct certificate c;
    describe(certificate, &c);
    *flags = certificates_mbedtls_flags(
        judge->decide(judge->context, &c, (unsigned)depth,
                      certificates_mbedtls_faults(*flags)));
    /* TLS with forward secrecy signs, and mbedTLS wants digitalSignature for
     * that. The judge has decided, and the library is not asked again. */
    if (depth == 0)
        certificate->MBEDTLS_PRIVATE(ext_types) &= ~MBEDTLS_X509_EXT_KEY_USAGE;
    return 0;
}

mbedtls_x509_crt_profile
certificates_mbedtls_profile(enum certificate_strength strength)
{
    uint32_t sha1 = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA1);
    uint32_t md5 = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_MD5);
    mbedtls_x509_crt_profile profile = mbedtls_x509_crt_profile_default;
    switch (strength) {
    case CERTIFICATE_LEGACY:
        profile.allowed_mds |= sha1;
        profile.allowed_curves = 0xfffffff;
        profile.rsa_min_bitlen = 1024;
        break;
    case CERTIFICATE_PREFERRED:
        break;
    case CERTIFICATE_SUITEB:
        profile = mbedtls_x509_crt_profile_suiteb;
        break;
    case CERTIFICATE_INSECURE:
        profile.allowed_mds |= sha1 | md5;
        profile.allowed_curves = 0xfffffff;
        profile.rsa_min_bitlen = 512;
        break;
    }
    return profile;
}

/* The library's functions take what they only read as if they wrote to it. */
static void *writable(const void *p)
{
    return (void *)(uintptr_t)p;
}

bool certificates_verify(const struct certificates *chain,
                         const struct certificates *authorities,
                         const struct revocations *revoked,
                         enum certificate_strength strength,
                         const struct certificate_judge *judge, int64_t now)
{
    (void)now; /* the library's clock judges, and the judge corrects it */
    mbedtls_x509_crt_profile profile = certificates_mbedtls_profile(strength);
    struct certificate_judge ours = *judge;
    uint32_t flags;
    return mbedtls_x509_crt_verify_with_profile(
               writable(&chain->chain), writable(&authorities->chain),
               revoked ? writable(&revoked->list) : NULL, &profile, NULL,
               &flags, certificates_mbedtls_decide, &ours) == 0;
}
