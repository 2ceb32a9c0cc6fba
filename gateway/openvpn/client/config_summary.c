#include "gateway/openvpn/client/config_summary.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/tls/tls_context.h"
#include "gateway/vpn/protocol.h"

enum { TEXT_SIZE = 1024, REMOTES_SHOWN = 8 };

struct text {
    char memory[TEXT_SIZE];
    size_t size;
};

static void add(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
    size_t room = sizeof t->memory - t->size;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(t->memory + t->size, room, format, arguments);
    va_end(arguments);
    if (n > 0)
        t->size += (size_t)n < room ? (size_t)n : room - 1;
}

/* With a comma before all but the first. */
#define ADD_ITEM(t, ...)                                                       \
    do {                                                                       \
        if ((t)->size)                                                         \
            add(t, ", ");                                                      \
        add(t, __VA_ARGS__);                                                   \
    } while (0)

struct output {
    config_summary_line *line;
    void *context;
};

static void put(const struct output *out, const char *topic,
                const struct text *t)
{
    out->line(out->context, topic, t->memory);
}

static const char *protocol_text(const struct config_remote *r)
{
    static const char *const names[2][3] = {
        {"UDP", "UDP over IPv4",
         "UDP over "
         "IPv6"},
        {"TCP", "TCP over IPv4", "TCP over IPv6"}};
    size_t family = r->family == ADDRESS_IPV4   ? 1
                    : r->family == ADDRESS_IPV6 ? 2
                                                : 0;
    return names[r->protocol == CONFIG_TCP][family];
}

static void put_remote(const struct output *out, const struct config_remote *r)
{
    struct text t = {0};
    add(&t, strchr(r->host, ':') ? "[%s]:%u %s" : "%s:%u %s", r->host, r->port,
        protocol_text(r));
    if (r->proxy.kind != CONFIG_PROXY_NONE)
        add(&t, " through %s proxy %s:%u",
            r->proxy.kind == CONFIG_PROXY_HTTP ? "HTTP" : "SOCKS",
            r->proxy.host, r->proxy.port);
    put(out, "remote", &t);
}

static void put_remotes(const struct output *out, const struct config *c)
{
    for (size_t i = 0; i < c->remote_count && i < REMOTES_SHOWN; i++)
        put_remote(out, &c->remotes[i]);
    struct text t = {0};
    if (c->remote_count > REMOTES_SHOWN)
        ADD_ITEM(&t, "and %zu more", c->remote_count - REMOTES_SHOWN);
    if (c->remote_count > 1)
        ADD_ITEM(&t, "%s",
                 c->remote_random ? "tried in random order"
                                  : "tried in this order");
    if (c->remote_random_hostname)
        ADD_ITEM(&t, "with a random label before the name");
    if (t.size)
        put(out, "remote", &t);
}

static void put_server(const struct output *out, const struct config *c)
{
    struct text t = {0};
    char quoted[LOG_QUOTE_SIZE];
    if (config_is_static(c))
        ADD_ITEM(&t, "verified by the static key");
    if (c->ca.data)
        ADD_ITEM(&t, "verified by a certificate of the profile's authority");
    else if (c->pkcs12.data && !c->fingerprint_count)
        ADD_ITEM(&t, "verified by a certificate of an authority in PKCS#12");
    if (c->fingerprint_count)
        ADD_ITEM(&t, "%s%zu known fingerprint%s", t.size ? "" : "verified by ",
                 c->fingerprint_count, c->fingerprint_count == 1 ? "" : "s");
    if (c->crl.data)
        ADD_ITEM(&t, "not revoked");
    if (c->remote_cert_tls_server || c->ns_cert_type_server ||
        c->remote_cert_eku)
        ADD_ITEM(&t, "issued for a server");
    if (c->name_type != CONFIG_NAME_NONE)
        ADD_ITEM(&t, "%s `%s'",
                 c->name_type == CONFIG_NAME_SUBJECT ? "subject"
                 : c->name_type == CONFIG_NAME_CN    ? "name"
                                                  : "a name that starts with",
                 log_quote(quoted, bytes_of_text(c->name)));
    bool verified = config_is_static(c) || c->ca.data || c->pkcs12.data ||
                    c->fingerprint_count;
    if (!verified)
        t.size = (size_t)snprintf(t.memory, sizeof t.memory, "%s",
                                  PROTOCOL_NOT_VERIFIED);
    put(out, "server", &t);
}

static void put_authentication(const struct output *out, const struct config *c)
{
    struct text t = {0};
    if (config_is_static(c))
        ADD_ITEM(&t, "the static key");
    if (c->pkcs12.data)
        ADD_ITEM(&t, "certificate and key in PKCS#12");
    if (c->cert.data)
        ADD_ITEM(&t, "certificate and%s key",
                 tls_context_needs_password(c) ? " encrypted" : "");
    if (c->auth_user_pass)
        ADD_ITEM(&t, "user name and password");
    if (c->static_challenge)
        ADD_ITEM(&t, "answer to a challenge");
    add(&t, "%s", t.size ? "" : "none");
    put(out, "authentication", &t);
}

static void put_wrapping(const struct output *out, const struct config *c)
{
    static const char *const names[] = {
        [CONFIG_WRAP_NONE] = "none",
        [CONFIG_WRAP_TLS_AUTH] = "tls-auth",
        [CONFIG_WRAP_TLS_CRYPT] = "tls-crypt",
        [CONFIG_WRAP_TLS_CRYPT_V2] = "tls-crypt-v2",
    };
    unsigned seen = 0;
    for (size_t i = 0; i < c->remote_count; i++)
        seen |= 1u << c->remotes[i].wrap;
    struct text t = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (seen & 1u << i)
            ADD_ITEM(&t, "%s", names[i]);
    put(out, "wrapping", &t);
}

static void add_negotiable(struct text *t, const struct config *c)
{
    add(t, "%s", c->data_ciphers);
    if (c->data_ciphers_fallback[0])
        ADD_ITEM(t, "else %s", c->data_ciphers_fallback);
    if (strstr(c->data_ciphers, "-CBC") ||
        strstr(c->data_ciphers_fallback, "-CBC"))
        ADD_ITEM(t, "%s where there is no AEAD", c->auth);
}

static void put_data_channel(const struct output *out, const struct config *c)
{
    static const char *const framings[] = {
        [CONFIG_COMPRESSION_NONE] = "",
        [CONFIG_COMPRESSION_LZO] = "comp-lzo's framing",
        [CONFIG_COMPRESSION_STUB] = "compress stub's framing",
        [CONFIG_COMPRESSION_STUB_V2] = "compress stub-v2's framing",
    };
    struct text t = {0};
    if (config_is_static(c))
        add(&t, "%s, %s", c->cipher[0] ? c->cipher : "none", c->auth);
    else
        add_negotiable(&t, c);
    if (*framings[c->compression])
        ADD_ITEM(&t, "%s", framings[c->compression]);
    put(out, "ciphers", &t);
}

static void put_questions(const struct output *out, const struct config *c)
{
    struct text t = {0};
    bool proxy_password = false;
    if (c->auth_user_pass && !c->username)
        ADD_ITEM(&t, "user name");
    if (c->auth_user_pass && !c->password)
        ADD_ITEM(&t, "password");
    if (c->static_challenge)
        ADD_ITEM(&t, "answer to the challenge");
    if (tls_context_needs_password(c) && !c->key_password.data)
        ADD_ITEM(&t, "password of the key");
    for (size_t i = 0; i < c->remote_count; i++)
        proxy_password = proxy_password || (c->remotes[i].proxy.username &&
                                            !c->remotes[i].proxy.password);
    if (proxy_password)
        ADD_ITEM(&t, "password of the proxy");
    if (t.size)
        put(out, "will be asked for", &t);
}

void config_summary(const struct config *c, config_summary_line *line,
                    void *context)
{
    const struct output out = {line, context};
    put_remotes(&out, c);
    put_server(&out, c);
    put_authentication(&out, c);
    put_wrapping(&out, c);
    put_data_channel(&out, c);
    put_questions(&out, c);
}
