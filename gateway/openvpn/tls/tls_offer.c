#include "gateway/openvpn/tls/tls_offer.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

/* --- Cipher suites --- */

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

int *tls_offer_suites(const struct config *config)
{
    /* Each word may be DEFAULT. */
    size_t most = DEFAULT_SUITES * (count_words(config->tls_cipher) +
                                    count_words(config->tls_ciphersuites));
    int *suites = calloc(most + 1, sizeof *suites);
    if (!suites)
        return NULL;
    size_t newer =
        add_suites(suites, "tls-ciphersuites", config->tls_ciphersuites, true);
    (void)add_suites(suites + newer, "tls-cipher", config->tls_cipher, false);
    return suites;
}

/* --- Groups --- */

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

uint16_t *tls_offer_groups(const struct config *config)
{
    uint16_t *groups =
        calloc(count_words(config->tls_groups) + 1, sizeof *groups);
    if (!groups)
        return NULL;
    size_t count = 0;
    struct bytes rest = bytes_of_text(config->tls_groups), word;
    while (text_cut(&rest, ':', &word)) {
        uint16_t group = find_group(word);
        if (group)
            groups[count++] = group;
    }
    if (count == 0)
        log_warn("openvpn: tls-groups names nothing that this program has: "
                 "its own list is used");
    return groups;
}
