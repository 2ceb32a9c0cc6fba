/*
 * OpenSSL builds the chain and finds its faults; it is told to go on after
 * each, so that the judge hears all of them. Strength and purpose are judged
 * here, as the other library does it: OpenSSL's security levels forbid what old
 * profiles need, or allow what none should.
 */
#include "gateway/crypto/openssl/certificates_openssl.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include "gateway/crypto/openssl/library_openssl.h"

enum { DEPTH_MAX = 32 };

/* --- OpenSSL's words for faults ------------------------------------------ */

static const struct {
    int code;
    uint32_t fault; /* 0: none */
} meanings[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, CERTIFICATE_EXPIRED},
    {X509_V_ERR_CERT_NOT_YET_VALID, CERTIFICATE_FUTURE},
    {X509_V_ERR_CERT_REVOKED, CERTIFICATE_REVOKED},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_CERT_UNTRUSTED, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_INVALID_CA, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, CERTIFICATE_UNTRUSTED},
    {X509_V_ERR_UNABLE_TO_GET_CRL, 0}, /* its authority has published none */
    {X509_V_ERR_CRL_HAS_EXPIRED, CERTIFICATE_LIST_EXPIRED},
    {X509_V_ERR_CRL_NOT_YET_VALID, CERTIFICATE_LIST_FUTURE},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, CERTIFICATE_LIST_UNTRUSTED},
    {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, CERTIFICATE_LIST_UNTRUSTED},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, CERTIFICATE_LIST_UNTRUSTED},
    {X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, CERTIFICATE_LIST_UNTRUSTED},
};

static uint32_t fault_of(int code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].code == code)
            return meanings[i].fault;
    return code == X509_V_OK ? 0 : CERTIFICATE_REFUSED;
}

int certificates_openssl_code(uint32_t faults)
{
    if (faults & CERTIFICATE_BAD_PURPOSE)
        return X509_V_ERR_INVALID_PURPOSE;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (faults & meanings[i].fault)
            return meanings[i].code;
    return X509_V_ERR_CERT_REJECTED;
}

/* --- What OpenSSL is not asked ------------------------------------------- */

/* Bits of security: SHA-1's signatures have 63, RSA with 1024 bits 80. */
struct strength {
    int hash, rsa, other;
};

static struct strength needed(enum certificate_strength strength)
{
    switch (strength) {
    case CERTIFICATE_LEGACY:
        return (struct strength){63, 80, 80};
    case CERTIFICATE_INSECURE:
        return (struct strength){0, 0, 0};
    case CERTIFICATE_PREFERRED:
    case CERTIFICATE_SUITEB:
        break;
    }
    return (struct strength){128, 112, 128};
}

/* P-256 or P-384. */
static bool is_suite_b(EVP_PKEY *key)
{
    char group[32];
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           (!strcmp(group, "prime256v1") || !strcmp(group, "secp384r1"));
}

static uint32_t weakness_of_key(X509 *x, enum certificate_strength strength)
{
    struct strength least = needed(strength);
    EVP_PKEY *key = X509_get0_pubkey(x);
    if (!key)
        return CERTIFICATE_KEY_KIND;
    if (strength == CERTIFICATE_SUITEB && !EVP_PKEY_is_a(key, "EC"))
        return CERTIFICATE_KEY_KIND;
    bool rsa = EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
    bool strong =
        EVP_PKEY_get_security_bits(key) >= (rsa ? least.rsa : least.other);
    if (!strong || (strength == CERTIFICATE_SUITEB && !is_suite_b(key)))
        return CERTIFICATE_WEAK_KEY;
    return 0;
}

static uint32_t weakness_of_hash(X509 *x, enum certificate_strength strength)
{
    int bits = 0;
    return X509_get_signature_info(x, NULL, NULL, &bits, NULL) == 1 &&
                   bits >= needed(strength).hash
               ? 0
               : CERTIFICATE_WEAK_HASH;
}

uint32_t certificates_openssl_purpose(X509 *x, bool server)
{
    int wanted = server ? NID_server_auth : NID_client_auth;
    EXTENDED_KEY_USAGE *all =
        X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
    bool good = !all;
    for (int i = 0; !good && i < sk_ASN1_OBJECT_num(all); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(all, i));
        good = nid == wanted || nid == NID_anyExtendedKeyUsage;
    }
    EXTENDED_KEY_USAGE_free(all);
    return good ? 0 : CERTIFICATE_BAD_PURPOSE;
}

/* --- The whole ----------------------------------------------------------- */

struct findings {
    uint32_t faults[DEPTH_MAX];
};

/* OpenSSL calls it with the store's data at each fault. */
static int note(int good, X509_STORE_CTX *context)
{
    struct findings *f = X509_STORE_CTX_get_app_data(context);
    int depth = X509_STORE_CTX_get_error_depth(context);
    if (!good && f && depth >= 0)
        f->faults[depth < DEPTH_MAX ? depth : DEPTH_MAX - 1] |=
            fault_of(X509_STORE_CTX_get_error(context));
    return 1;
}

static void prepare(X509_STORE_CTX *context, const struct certificates *trusted,
                    const struct revocations *revoked, int64_t now)
{
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(context);
    X509_STORE_CTX_set0_trusted_stack(context, trusted->stack);
    X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_trust(p, X509_TRUST_COMPAT);
    X509_VERIFY_PARAM_set_auth_level(p, 0);
    X509_VERIFY_PARAM_set_time(p, (time_t)now);
    X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
    if (revoked && sk_X509_CRL_num(revoked->lists) > 0) {
        X509_STORE_CTX_set0_crls(context, revoked->lists);
        X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_CRL_CHECK |
                                           X509_V_FLAG_CRL_CHECK_ALL);
    }
    X509_STORE_CTX_set_verify_cb(context, note);
}

/* The faults that remain of the certificate at this depth of the chain. */
static uint32_t decide(STACK_OF(X509) * chain, int depth, uint32_t faults,
                       enum certificate_strength strength,
                       const struct certificate_judge *judge)
{
    struct certificate_openssl c;
    X509 *x = sk_X509_value(chain, depth);
    if (!certificates_openssl_wrap(&c, x))
        return CERTIFICATE_REFUSED;
    bool root = depth > 0 && depth == sk_X509_num(chain) - 1 &&
                !(faults & CERTIFICATE_UNTRUSTED);
    faults |= weakness_of_key(x, strength);
    if (!root) /* a trusted one need not be signed */
        faults |= weakness_of_hash(x, strength);
    uint32_t left =
        judge->decide(judge->context, &c.facts, (unsigned)depth, faults);
    certificates_openssl_unwrap(&c);
    return left;
}

uint32_t certificates_openssl_verify(X509_STORE_CTX *context,
                                     const struct certificates *authorities,
                                     const struct revocations *revoked,
                                     enum certificate_strength strength,
                                     const struct certificate_judge *judge,
                                     int64_t now)
{
    struct findings findings = {{0}};
    uint32_t left = 0;
    void *before = X509_STORE_CTX_get_app_data(context);
    prepare(context, authorities, revoked, now);
    X509_STORE_CTX_set_app_data(context, &findings);
    bool done = X509_verify_cert(context) == 1;
    X509_STORE_CTX_set_app_data(context, before);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    int count = chain ? sk_X509_num(chain) : 0;
    if (!done || count < 1 || count > DEPTH_MAX)
        left = CERTIFICATE_REFUSED;
    for (int depth = count - 1; depth >= 0 && count <= DEPTH_MAX; depth--)
        left |= decide(chain, depth, findings.faults[depth], strength, judge);
    X509_STORE_CTX_set_error(context, left ? certificates_openssl_code(left)
                                           : X509_V_OK);
    ERR_clear_error();
    return left;
}

bool certificates_verify(const struct certificates *chain,
                         const struct certificates *authorities,
                         const struct revocations *revoked,
                         enum certificate_strength strength,
                         const struct certificate_judge *judge, int64_t now)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new_ex(library_openssl(), NULL);
    bool good = store && context && chain->count > 0 &&
                X509_STORE_CTX_init(context, store, chain->all[0].x,
                                    chain->stack) == 1 &&
                certificates_openssl_verify(context, authorities, revoked,
                                            strength, judge, now) == 0;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return good;
}
