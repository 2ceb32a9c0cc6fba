#include "gateway/openvpn/config/config_options.h"

#include <stdlib.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/crypto/certificates.h"
#include "gateway/crypto/pkcs12.h"
#include "gateway/crypto/revocations.h"

#define HANDLER(verb) CONFIG_OPTIONS_HANDLER(config_options_##verb)

/* --- Certificates and keys ----------------------------------------------- */

static bool is_only_blank(const struct blob *blob)
{
    return text_trim(bytes_of(blob->data, blob->size)).size == 0;
}

static void shorten(struct blob *blob, size_t size)
{
    secret_wipe(blob->data + size, blob->size - size);
    blob->size = size;
}

/* A block may be indented, and editors leave blanks behind lines, but PEM
 * knows neither. */
static void trim_lines(struct blob *blob)
{
    struct bytes rest = bytes_of(blob->data, blob->size), line;
    size_t kept = 0;
    while (rest.size && text_cut(&rest, '\n', &line)) {
        bool last = rest.data == NULL;
        line = text_trim(line);
        memmove(blob->data + kept, line.data, line.size);
        kept += line.size;
        if (!last)
            blob->data[kept++] = '\n';
    }
    shorten(blob, kept);
}

/* Takes a word out of both lines around each certificate. */
static void drop_word(struct blob *blob, const char *label, size_t word_size)
{
    size_t size = strlen(label);
    uint8_t *at;
    while ((at = memmem(blob->data, blob->size, label, size)) != NULL) {
        uint8_t *end = blob->data + blob->size;
        memmove(at, at + word_size, (size_t)(end - at) - word_size);
        shorten(blob, blob->size - word_size);
    }
}

/* Older names for the same. */
static void name_certificates(struct blob *blob)
{
    drop_word(blob, "X509 CERTIFICATE-----", strlen("X509 "));
    drop_word(blob, "TRUSTED CERTIFICATE-----", strlen("TRUSTED "));
}

/* Takes the content if it holds `mark`; an empty block is as good as none.
 * False after an error. */
static bool set_pem(struct config_builder *b, const struct config_line *line,
                    struct blob *field, const char *mark)
{
    struct blob content;
    if (!config_builder_content(b, line, &content))
        return false;
    trim_lines(&content);
    name_certificates(&content);
    if (memmem(content.data, content.size, mark, strlen(mark))) {
        blob_free(field);
        *field = content;
        return true;
    }
    bool blank = is_only_blank(&content);
    blob_free(&content);
    if (blank)
        config_builder_warn(b, "`%s' is empty", line->name);
    else
        config_builder_error(b, "`%s' holds no `-----BEGIN ...%s'", line->name,
                             mark);
    return blank;
}

/* The same, and each certificate in it is one. */
static bool set_certificates(struct config_builder *b,
                             const struct config_line *line, struct blob *field)
{
    if (!set_pem(b, line, field, "CERTIFICATE-----"))
        return false;
    if (field->size == 0)
        return true;
    struct certificates_result result = {.why = "memory is short"};
    struct certificates *chain = certificates_new();
    bool some =
        chain &&
        certificates_read(chain, bytes_of(field->data, field->size), &result);
    certificates_free(chain);
    if (!some)
        config_builder_error(b, "the certificate in `%s' cannot be read: %s",
                             line->name, result.why);
    else if (result.unread)
        config_builder_warn(b,
                            "%u of the certificates in `%s' cannot be read: %s",
                            result.unread, line->name, result.why);
    return some;
}

HANDLER(ca)
{
    (void)option;
    b->failed_ca = !set_certificates(b, line, &b->config->ca);
}

HANDLER(cert)
{
    (void)option;
    b->failed_cert = !set_certificates(b, line, &b->config->cert);
}

HANDLER(key)
{
    (void)option;
    b->failed_key = !set_pem(b, line, &b->config->key, "PRIVATE KEY-----");
}

HANDLER(extra_certs)
{
    (void)option;
    (void)!set_certificates(b, line, &b->config->extra_certs);
}

HANDLER(crl_verify)
{
    (void)option;
    struct blob *field = &b->config->crl;
    if (config_builder_argument(line, 2)) {
        config_builder_error(b, "`crl-verify' with a directory is for servers");
        return;
    }
    if (!set_pem(b, line, field, "X509 CRL-----"))
        return;
    /* A file that was cut short must not let revoked certificates pass. */
    if (field->size == 0) {
        config_builder_error(b, "`crl-verify' holds no list");
        return;
    }
    char why[REVOCATIONS_WHY_SIZE];
    struct revocations *list = revocations_new();
    if (!list ||
        !revocations_read(list, bytes_of(field->data, field->size), why))
        config_builder_error(b, "the list in `crl-verify' cannot be read");
    revocations_free(list);
}

/* Base64 of many lines to its bytes. */
static bool decode_block(struct blob *blob)
{
    size_t digits = 0;
    for (size_t i = 0; i < blob->size; i++)
        if (!memchr(" \t\r\n", blob->data[i], 4))
            blob->data[digits++] = blob->data[i];
    /* Decoding in place is safe: output never overtakes input. */
    size_t size;
    if (!text_from_base64(bytes_of(blob->data, digits), blob->data, digits,
                          &size))
        return false;
    secret_wipe(blob->data + size, blob->size - size);
    blob->size = size;
    return size > 0;
}

HANDLER(pkcs12)
{
    (void)option;
    struct blob content;
    if (!config_builder_content(b, line, &content))
        return;
    enum pkcs12_result result = PKCS12_MALFORMED;
    if (!line->is_inline || decode_block(&content))
        result = pkcs12_inspect(bytes_of(content.data, content.size));
    if (result != PKCS12_OK) {
        config_builder_error(b, "`pkcs12' cannot be used: %s",
                             pkcs12_text(result));
        blob_free(&content);
        return;
    }
    blob_free(&b->config->pkcs12);
    b->config->pkcs12 = content;
}

HANDLER(askpass)
{
    (void)option;
    const char *file = config_builder_argument(line, 1);
    if (!line->is_inline && (!file || !strcmp(file, "stdin")))
        return; /* asked for when it is needed */
    struct blob content;
    if (!config_builder_secret(b, line, &content))
        return;
    struct bytes rest = bytes_of(content.data, content.size), first = {0};
    while (text_cut(&rest, '\n', &first) && text_trim(first).size == 0 &&
           line->is_inline)
        continue;
    while (first.size && first.data[first.size - 1] == '\r')
        first.size--;
    if (first.size == 0 || !blob_set(&b->config->key_password, first))
        config_builder_error(b, "`askpass' holds no password");
    blob_free(&content);
}

/* --- Who the server must be ---------------------------------------------- */

enum { SHA256_SIZE = 32 };

/* Hexadecimal, with or without colons between bytes. */
static bool parse_fingerprint(struct bytes text, uint8_t out[SHA256_SIZE])
{
    uint8_t digits[2 * SHA256_SIZE];
    size_t n = 0, size;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == ':')
            continue;
        if (n == sizeof digits)
            return false;
        digits[n++] = text.data[i];
    }
    return text_from_hex(bytes_of(digits, n), out, SHA256_SIZE, &size) &&
           size == SHA256_SIZE;
}

static void add_fingerprint(struct config_builder *b, struct bytes text)
{
    uint8_t fingerprint[SHA256_SIZE];
    if (!parse_fingerprint(text, fingerprint)) {
        config_builder_error(b, "not a SHA-256 fingerprint: 32 bytes in "
                                "hexadecimal");
        return;
    }
    struct config *c = b->config;
    struct blob *grown =
        reallocarray(c->fingerprints, c->fingerprint_count + 1, sizeof *grown);
    if (grown) {
        c->fingerprints = grown;
        grown[c->fingerprint_count] = (struct blob){0};
    }
    if (!grown || !blob_set(&grown[c->fingerprint_count],
                            bytes_of(fingerprint, sizeof fingerprint)))
        config_builder_error(b, "out of memory");
    else
        c->fingerprint_count++;
}

HANDLER(peer_fingerprint)
{
    (void)option;
    if (!line->is_inline) {
        add_fingerprint(b, bytes_of_text(config_builder_argument(line, 1)));
        return;
    }
    unsigned first_line = b->line;
    struct bytes rest = line->content, part;
    while (text_cut(&rest, '\n', &part)) {
        b->line++;
        part = text_trim(part);
        if (part.size && part.data[0] != '#' && part.data[0] != ';')
            add_fingerprint(b, part);
    }
    b->line = first_line;
    if (b->config->fingerprint_count == 0)
        config_builder_error(b, "`peer-fingerprint' is empty");
}

HANDLER(remote_cert_tls)
{
    (void)option;
    const char *what = config_builder_argument(line, 1);
    if (strcmp(what, "server") != 0) {
        config_builder_error(b, "`remote-cert-tls' of a client's profile must "
                                "say `server'");
        return;
    }
    b->config->remote_cert_tls_server = true;
}

HANDLER(ns_cert_type)
{
    (void)option;
    const char *what = config_builder_argument(line, 1);
    if (strcmp(what, "server") != 0) {
        config_builder_error(b, "`ns-cert-type' of a client's profile must say "
                                "`server'");
        return;
    }
    b->config->ns_cert_type_server = true;
}

static bool parse_key_usage(const char *text, uint16_t *out)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    size_t n = strlen(text);
    if (n == 0 || n > 8 || strspn(text, "0123456789abcdefABCDEF") != n)
        return false;
    unsigned long value = strtoul(text, NULL, 16);
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

HANDLER(remote_cert_ku)
{
    (void)option;
    size_t count = line->tokens->count - 1;
    uint16_t *masks = calloc(count ? count : 1, sizeof *masks);
    if (!masks) {
        config_builder_error(b, "out of memory");
        return;
    }
    masks[0] = CONFIG_KU_REQUIRED;
    for (size_t i = 0; i < count; i++) {
        if (!parse_key_usage(config_builder_argument(line, i + 1), &masks[i])) {
            config_builder_error(b, "`remote-cert-ku' wants hexadecimal key "
                                    "usage masks");
            free(masks);
            return;
        }
    }
    free(b->config->remote_cert_ku);
    b->config->remote_cert_ku = masks;
    b->config->remote_cert_ku_count = count ? count : 1;
}

HANDLER(remote_cert_eku)
{
    (void)option;
    const char *usage = config_builder_argument(line, 1);
    (void)!config_builder_text(b, &b->config->remote_cert_eku, usage);
}

HANDLER(verify_x509_name)
{
    (void)option;
    static const struct {
        const char *word;
        enum config_name_type type;
    } types[] = {
        {"subject", CONFIG_NAME_SUBJECT},
        {"name", CONFIG_NAME_CN},
        {"name-prefix", CONFIG_NAME_PREFIX},
    };
    const char *word = config_builder_argument(line, 2);
    enum config_name_type type = CONFIG_NAME_NONE;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(word ? word : "subject", types[i].word))
            type = types[i].type;
    const char *name = config_builder_argument(line, 1);
    if (type == CONFIG_NAME_NONE || *name == '\0') {
        config_builder_error(b, "`verify-x509-name' wants a name and one of "
                                "subject, name, name-prefix");
        return;
    }
    if (config_builder_text(b, &b->config->name, name))
        b->config->name_type = type;
}

HANDLER(x509_username_field)
{
    (void)option;
    if (line->tokens->count != 2 ||
        strcmp(config_builder_argument(line, 1), "CN") != 0)
        config_builder_error(b, "`x509-username-field' is refused: other "
                                "fields than the common name (CN) are not "
                                "looked at");
}

/* --- TLS ----------------------------------------------------------------- */

static enum config_tls_version parse_version(const char *text)
{
    static const char *const versions[] = {
        [CONFIG_TLS_1_0] = "1.0",
        [CONFIG_TLS_1_1] = "1.1",
        [CONFIG_TLS_1_2] = "1.2",
        [CONFIG_TLS_1_3] = "1.3",
    };
    for (size_t i = CONFIG_TLS_1_0; i <= CONFIG_TLS_1_3; i++)
        if (!strcmp(text, versions[i]))
            return (enum config_tls_version)i;
    return CONFIG_TLS_ANY;
}

/* A version not known here is the highest one with `or-highest`. */
HANDLER(tls_version_min)
{
    (void)option;
    const char *more = config_builder_argument(line, 2);
    bool or_highest = more && !strcmp(more, "or-highest");
    enum config_tls_version version =
        parse_version(config_builder_argument(line, 1));
    if (version == CONFIG_TLS_ANY && or_highest)
        version = CONFIG_TLS_1_3;
    if (version == CONFIG_TLS_ANY || (more && !or_highest))
        config_builder_error(b, "`tls-version-min' wants 1.0 to 1.3, and "
                                "perhaps `or-highest'");
    else
        b->config->tls_version_min = version;
}

HANDLER(tls_version_max)
{
    (void)option;
    enum config_tls_version version =
        parse_version(config_builder_argument(line, 1));
    if (version == CONFIG_TLS_ANY)
        config_builder_error(b, "`tls-version-max' wants 1.2 or 1.3");
    else if (version < CONFIG_TLS_1_2)
        config_builder_error(b, "`tls-version-max' below 1.2 is not supported");
    else
        b->config->tls_version_max = version;
}

HANDLER(tls_cert_profile)
{
    (void)option;
    static const char *const profiles[] = {
        [CONFIG_PROFILE_LEGACY] = "legacy",
        [CONFIG_PROFILE_PREFERRED] = "preferred",
        [CONFIG_PROFILE_SUITEB] = "suiteb",
        [CONFIG_PROFILE_INSECURE] = "insecure",
    };
    const char *name = config_builder_argument(line, 1);
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        if (!strcmp(name, profiles[i])) {
            b->config->cert_profile = (enum config_cert_profile)i;
            return;
        }
    }
    config_builder_error(b,
                         "`tls-cert-profile' knows legacy, preferred, suiteb "
                         "and insecure");
}

/* --- Lists --------------------------------------------------------------- */

struct list {
    char text[CONFIG_LINE_MAX];
    struct writer w;
    bool has_default, foreign;
};

static void list_add(struct list *l, struct bytes word)
{
    if (l->w.size)
        write_u8(&l->w, ':');
    write_bytes(&l->w, word);
}

static bool is_suite(struct bytes word)
{
    return memchr(word.data, '-', word.size) ||
           memchr(word.data, '_', word.size);
}

/* OpenSSL's own words mean nothing to another library. A word that takes away
 * or sorts (!aNULL, @STRENGTH) is dropped; one that names a group (DEFAULT,
 * ECDHE, EECDH+AESGCM, TLSv1.2) becomes DEFAULT, this program's own list. */
static void list_add_word(struct list *l, struct bytes word, bool of_suites)
{
    struct bytes rest = word;
    if (word.size == 0)
        return;
    /* DEFAULT@SECLEVEL=0 */
    l->foreign = text_cut(&rest, '@', &word) && (l->foreign || rest.data);
    bool group = text_equal(word, "DEFAULT") || text_equal(word, "ALL") ||
                 text_equal(word, "HIGH") || (of_suites && !is_suite(word));
    if (word.size == 0 || memchr("!+-", word.data[0], 3)) {
        l->foreign = true;
    } else if (group) {
        l->foreign = true;
        if (!l->has_default)
            list_add(l, bytes_of_text("DEFAULT"));
        l->has_default = true;
    } else {
        list_add(l, word);
    }
}

/* Separated as OpenSSL has it. */
static void set_list(struct config_builder *b, const struct config_line *line,
                     char **field, bool of_suites)
{
    struct list l = {0};
    l.w = writer_of(l.text, sizeof l.text - 1);
    for (const char *at = config_builder_argument(line, 1); *at;) {
        size_t size = strcspn(at, ":,; ");
        list_add_word(&l, bytes_of(at, size), of_suites);
        at += size + (at[size] != '\0');
    }
    if (!writer_ok(&l.w)) {
        config_builder_error(b, "the list of `%s' is too long", line->name);
        return;
    }
    if (l.foreign)
        config_builder_warn(b,
                            "OpenSSL's words in `%s' are not understood: this "
                            "program uses another library, and its own list "
                            "in their place",
                            line->name);
    l.text[l.w.size] = '\0';
    if (l.w.size)
        (void)!config_builder_text(b, field, l.text);
}

HANDLER(tls_cipher)
{
    (void)option;
    set_list(b, line, &b->config->tls_cipher, true);
}

HANDLER(tls_ciphersuites)
{
    (void)option;
    set_list(b, line, &b->config->tls_ciphersuites, true);
}

HANDLER(tls_groups)
{
    (void)option;
    set_list(b, line, &b->config->tls_groups, false);
}
