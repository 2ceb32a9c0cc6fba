#include "gateway/crypto/certificates.h"

#include <stdio.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include "gateway/base/secret.h"

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

const char *certificates_foreign_key(struct bytes der)
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

const char *certificates_foreign_key_of_text(struct bytes text)
{
    mbedtls_pem_context pem;
    size_t used;
    size_t size;
    mbedtls_pem_init(&pem);
    const char *kind = NULL;
    if (open_block(text, "-----BEGIN PRIVATE KEY-----",
                   "-----END PRIVATE KEY-----", &pem, &used)) {
        const unsigned char *der = mbedtls_pem_get_buffer(&pem, &size);
        kind = certificates_foreign_key(bytes_of(der, size));
    }
    mbedtls_pem_free(&pem); /* wipes */
    return kind;
}

/* --- Extensions that mbedTLS does not know --- */

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

/* --- One certificate, and all of a file --- */

static void explain(struct certificates_result *result, struct bytes der,
                    int code)
{
    char text[CERTIFICATES_WHY_SIZE - 32];
    const char *kind = certificates_foreign_key(der);
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

bool certificates_read(mbedtls_x509_crt *chain, struct bytes text,
                       struct certificates_result *result)
{
    static const char mark[] = "-----BEGIN ";
    *result = (struct certificates_result){0};
    if (text.size && memmem(text.data, text.size, mark, sizeof mark - 1))
        read_all(chain, text, result);
    else
        read_one(chain, text, result);
    return result->read > 0;
}
