/*
 * Certificates, keys and lists of revoked certificates as a profile holds
 * them, and the names in certificates, which are printed here. The input's
 * first byte says for what the rest is taken; all else is as it should be.
 */
#include "gateway/openvpn/tls/tls_context.h"

#include "gateway/openvpn/tls/distinguished_name.h"
#include "tests/fuzz/target.h"
#include "tests/vectors/pki.h"

enum { AS_CA, AS_CERT, AS_KEY, AS_CRL, AS_EXTRA, AS_IDENTITY, AS_NAME, KINDS };

static uint32_t counter;

/* Nothing in it may do anything to a terminal or a log. */
static void check_text(const char *text, size_t room)
{
    check(strlen(text) < room);
    for (; *text; text++)
        check((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_name(struct bytes der)
{
    char text[DISTINGUISHED_NAME_SIZE];
    if (!distinguished_name_format(der, text, sizeof text))
        check(text[0] == 0);
    check_text(text, sizeof text);
    char common[COMMON_NAME_SIZE];
    if (distinguished_name_common(der, common, sizeof common))
        check_text(common, sizeof common);
}

static void check_chain(const struct certificates *chain)
{
    struct certificate c;
    for (size_t i = 0; certificates_at(chain, i, &c); i++) {
        check_name(c.subject);
        check_name(c.issuer);
    }
}

static void set(struct blob *blob, struct bytes text)
{
    check(blob_set(blob, text));
}

static void make_config(struct config *c, int kind, struct bytes text)
{
    config_init(c);
    set(&c->ca, kind == AS_CA ? text : bytes_of_text(pki_ca));
    set(&c->cert, kind == AS_CERT || kind == AS_IDENTITY
                      ? text
                      : bytes_of_text(pki_client_crt));
    set(&c->key, kind == AS_KEY || kind == AS_IDENTITY
                     ? text
                     : bytes_of_text(pki_client_key));
    if (kind == AS_CRL)
        set(&c->crl, text);
    if (kind == AS_EXTRA)
        set(&c->extra_certs, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_random random = {&counter, fill_random};
    struct tls_context context;
    struct config config;
    if (size == 0)
        return 0;
    be_quiet();
    counter = 1;
    int kind = data[0] % KINDS;
    struct bytes text = bytes_of(data + 1, size - 1);
    if (kind == AS_NAME) {
        check_name(text);
        return 0;
    }
    make_config(&config, kind, text);
    (void)tls_context_needs_password(&config);
    if (tls_context_init(&context, OPENVPN_CLIENT, &config,
                         bytes_of_text("password"), &random)) {
        check_chain(context.authorities);
        check_chain(context.own);
    }
    tls_context_clear(&context);
    config_clear(&config);
    return 0;
}
