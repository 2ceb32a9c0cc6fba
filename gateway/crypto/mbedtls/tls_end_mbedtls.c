#include "gateway/crypto/mbedtls/tls_end_mbedtls.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>

#include "gateway/crypto/mbedtls/certificates_mbedtls.h"
#include "gateway/crypto/mbedtls/private_key_mbedtls.h"

enum { DH_BITS_LEAST = 2048 };

static bool set_defaults(struct tls_end *e)
{
    bool server = e->kind == TLS_END_SERVER;
    mbedtls_ssl_config *c = &e->config;
    /* TLS 1.3 stands on PSA; more than one call is fine. */
    if (psa_crypto_init() != PSA_SUCCESS ||
        mbedtls_ssl_config_defaults(
            c, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
            MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return false;
    mbedtls_ssl_conf_rng(c, private_key_mbedtls_fill, &e->random);
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_session_tickets(c, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    if (server)
        mbedtls_ssl_conf_new_session_tickets(c, 0);
    /* A server's own group has as many. */
    mbedtls_ssl_conf_dhm_min_bitlen(c, DH_BITS_LEAST);
    return true;
}

struct tls_end *tls_end_new(enum tls_end_kind kind,
                            const struct tls_random *random)
{
    struct tls_end *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->kind = kind;
    e->random = *random;
    mbedtls_ssl_config_init(&e->config);
    if (!set_defaults(e)) {
        tls_end_free(e);
        return NULL;
    }
    tls_end_demand(e, TLS_END_REQUIRED);
    tls_end_set_strength(e, CERTIFICATE_PREFERRED);
    tls_end_set_versions(e, TLS_END_1_2, TLS_END_1_3);
    return e;
}

void tls_end_free(struct tls_end *e)
{
    if (!e)
        return;
    mbedtls_ssl_config_free(&e->config);
    free(e->suites);
    free(e->groups);
    free(e);
}

/* The library's functions take what they only read as if they wrote to it. */
static void *writable(const void *p)
{
    return (void *)(uintptr_t)p;
}

bool tls_end_trust(struct tls_end *e, const struct certificates *authorities,
                   const struct revocations *revoked)
{
    /* An empty chain is handed over as well, so that a fingerprint alone can
     * vouch for the peer. */
    mbedtls_ssl_conf_ca_chain(&e->config, writable(&authorities->chain),
                              writable(&revoked->list));
    return true;
}

void tls_end_demand(struct tls_end *e, enum tls_end_demand demand)
{
    static const int modes[] = {
        [TLS_END_REQUIRED] = MBEDTLS_SSL_VERIFY_REQUIRED,
        [TLS_END_OPTIONAL] = MBEDTLS_SSL_VERIFY_OPTIONAL,
        [TLS_END_NONE] = MBEDTLS_SSL_VERIFY_NONE,
    };
    e->demand = demand;
    mbedtls_ssl_conf_authmode(&e->config, modes[demand]);
}

void tls_end_set_strength(struct tls_end *e, enum certificate_strength strength)
{
    e->profile = certificates_mbedtls_profile(strength);
    mbedtls_ssl_conf_cert_profile(&e->config, &e->profile);
}

bool tls_end_show(struct tls_end *e, struct certificates *own,
                  struct private_key *key)
{
    /* The other end judges what our certificate may be used for (openvpn serves
     * with any usage of its own as well). */
    own->chain.MBEDTLS_PRIVATE(ext_types) &= ~MBEDTLS_X509_EXT_KEY_USAGE;
    return mbedtls_ssl_conf_own_cert(&e->config, &own->chain, &key->context) ==
           0;
}

void tls_end_set_versions(struct tls_end *e, enum tls_end_version oldest,
                          enum tls_end_version newest)
{
    static const mbedtls_ssl_protocol_version versions[] = {
        [TLS_END_1_2] = MBEDTLS_SSL_VERSION_TLS1_2,
        [TLS_END_1_3] = MBEDTLS_SSL_VERSION_TLS1_3,
    };
    e->newest = newest;
    mbedtls_ssl_conf_min_tls_version(&e->config, versions[oldest]);
    mbedtls_ssl_conf_max_tls_version(&e->config, versions[newest]);
}

static size_t count(const uint16_t *numbers)
{
    size_t n = 0;
    while (numbers[n])
        n++;
    return n;
}

/* The library's numbers are IANA's. */
bool tls_end_set_suites(struct tls_end *e, const uint16_t *suites)
{
    size_t n = count(suites);
    int *copy = calloc(n + 1, sizeof *copy);
    if (!copy)
        return false;
    for (size_t i = 0; i < n; i++)
        copy[i] = suites[i];
    mbedtls_ssl_conf_ciphersuites(&e->config, copy);
    free(e->suites);
    e->suites = copy;
    return true;
}

bool tls_end_set_groups(struct tls_end *e, const uint16_t *groups)
{
    size_t n = count(groups);
    uint16_t *copy = calloc(n + 1, sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, groups, n * sizeof *copy);
    mbedtls_ssl_conf_groups(&e->config, copy);
    free(e->groups);
    e->groups = copy;
    return true;
}

uint16_t tls_end_suite_number(const char *name)
{
    char theirs[96];
    int length;
    if (strncmp(name, "TLS-", 4) == 0 && !strstr(name, "-WITH-"))
        length = snprintf(theirs, sizeof theirs, "TLS1-3-%s", name + 4);
    else
        length = snprintf(theirs, sizeof theirs, "%s", name);
    return length > 0 && (size_t)length < sizeof theirs
               ? (uint16_t)mbedtls_ssl_get_ciphersuite_id(theirs)
               : 0;
}

bool tls_end_has_group(uint16_t group)
{
    return mbedtls_ecp_curve_info_from_tls_id(group) ||
           (group >= MBEDTLS_SSL_IANA_TLS_GROUP_FFDHE2048 &&
            group <= MBEDTLS_SSL_IANA_TLS_GROUP_FFDHE8192);
}

const char *tls_end_lack(void)
{
    return " (its certificate may have a kind of key that this program's TLS "
           "library lacks, as Ed25519)";
}
