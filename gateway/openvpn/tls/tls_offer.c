#include "gateway/openvpn/tls/tls_offer.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/crypto/tls_end.h"

/* --- Cipher suites ------------------------------------------------------- */

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

/* 0 if the library knows no such suite. */
static uint16_t find_suite(struct bytes word)
{
    char name[64], full[SUITE_NAME_SIZE];
    if (!text_copy(name, sizeof name, word))
        return 0;
    for (char *c = name; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
    if (strncmp(name, "TLS-", 4) == 0)
        return tls_end_suite_number(name);
    suite_of_openssl(name, full);
    return tls_end_suite_number(full);
}

static bool is_version_1_3(uint16_t suite)
{
    return suite >= 0x1301 && suite <= 0x1305;
}

/* openvpn offers these with OpenSSL: forward secrecy, and a cipher that is
 * still thought well of, by IANA's numbers. The profile has to name others. */
static const uint16_t default_suites[] = {
    0x1302, /* TLS_AES_256_GCM_SHA384 */
    0x1303, /* TLS_CHACHA20_POLY1305_SHA256 */
    0x1301, /* TLS_AES_128_GCM_SHA256 */
    0xc02c, /* TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 */
    0xc030, /* TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 */
    0x009f, /* TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 */
    0xcca9, /* TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 */
    0xcca8, /* TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 */
    0xccaa, /* TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256 */
    0xc02b, /* TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 */
    0xc02f, /* TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 */
    0x009e, /* TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 */
    0xc024, /* TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 */
    0xc028, /* TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 */
    0x006b, /* TLS_DHE_RSA_WITH_AES_256_CBC_SHA256 */
    0xc023, /* TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 */
    0xc027, /* TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 */
    0x0067, /* TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 */
    0xc00a, /* TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA */
    0xc014, /* TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA */
    0x0039, /* TLS_DHE_RSA_WITH_AES_256_CBC_SHA */
    0xc009, /* TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA */
    0xc013, /* TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA */
    0x0033, /* TLS_DHE_RSA_WITH_AES_128_CBC_SHA */
};

enum { DEFAULT_SUITES = sizeof default_suites / sizeof *default_suites };

static size_t add_default_suites(uint16_t *out, bool version_1_3)
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
static size_t add_suites(uint16_t *out, const char *option, const char *list,
                         bool version_1_3)
{
    size_t count = 0;
    struct bytes rest = bytes_of_text(list ? list : "DEFAULT"), word;
    while (text_cut(&rest, ':', &word)) {
        uint16_t suite = find_suite(word);
        if (text_equal(word, "DEFAULT"))
            count += add_default_suites(out + count, version_1_3);
        else if (suite != 0 && is_version_1_3(suite) == version_1_3)
            out[count++] = suite;
    }
    if (count == 0) {
        log_warn("tunnel: %s names nothing that this program has: its own "
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

uint16_t *tls_offer_suites(const struct config *config)
{
    /* Each word may be DEFAULT. */
    size_t most = DEFAULT_SUITES * (count_words(config->tls_cipher) +
                                    count_words(config->tls_ciphersuites));
    uint16_t *suites = calloc(most + 1, sizeof *suites);
    if (!suites)
        return NULL;
    size_t newer =
        add_suites(suites, "tls-ciphersuites", config->tls_ciphersuites, true);
    (void)add_suites(suites + newer, "tls-cipher", config->tls_cipher, false);
    return suites;
}

/* --- Groups -------------------------------------------------------------- */

/* RFC 8446 4.2.7, by IANA's numbers; the last ones are hybrids, which also hold
 * against a quantum computer. */
static const struct {
    const char *name;
    uint16_t group;
} group_names[] = {
    {"X25519", 29},
    {"X448", 30},
    {"secp256r1", 23},
    {"prime256v1", 23},
    {"P-256", 23},
    {"secp384r1", 24},
    {"P-384", 24},
    {"secp521r1", 25},
    {"P-521", 25},
    {"brainpoolP256r1", 26},
    {"brainpoolP384r1", 27},
    {"brainpoolP512r1", 28},
    {"ffdhe2048", 256},
    {"ffdhe3072", 257},
    {"ffdhe4096", 258},
    {"SecP256r1MLKEM768", 4587},
    {"X25519MLKEM768", 4588},
    {"SecP384r1MLKEM1024", 4589},
};

/* 0 if it is unknown, to us or to the library. */
static uint16_t find_group(struct bytes word)
{
    for (size_t i = 0; i < sizeof group_names / sizeof *group_names; i++) {
        uint16_t group = group_names[i].group;
        if (text_equal_ignoring_case(word, group_names[i].name))
            return tls_end_has_group(group) ? group : 0;
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
        log_warn("tunnel: tls-groups names nothing that this program has: "
                 "its own list is used");
    return groups;
}
