#include "gateway/openvpn/server_config_options.h"

#include <ctype.h>
#include <strings.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#define HANDLER(verb)                                                          \
    static void verb(struct config_builder *b,                                 \
                     const struct config_option *option,                       \
                     const struct config_line *line)

_Static_assert(offsetof(struct server_config_builder, common) == 0,
               "a builder is a server's builder's start");

static struct server_config_builder *builder_of(struct config_builder *b)
{
    return (struct server_config_builder *)b;
}

static struct server_config *out_of(struct config_builder *b)
{
    return builder_of(b)->out;
}

static const char *quoted(char out[LOG_QUOTE_SIZE], const char *text)
{
    return log_quote(out, bytes_of_text(text ? text : ""));
}

/* An argument that must be an IPv4 address. */
static bool read_ipv4(struct config_builder *b, const struct config_line *line,
                      size_t number, uint32_t *value)
{
    const char *text = config_builder_argument(line, number);
    struct address a;
    char out[LOG_QUOTE_SIZE];
    if (text && address_parse(bytes_of_text(text), &a) &&
        a.family == ADDRESS_IPV4) {
        *value = address_to_ipv4(&a);
        return true;
    }
    config_builder_error(b, "`%s' is not an IPv4 address", quoted(out, text));
    return false;
}

static bool read_netmask(struct config_builder *b,
                         const struct config_line *line, size_t number,
                         uint8_t *bits)
{
    uint32_t mask;
    if (!read_ipv4(b, line, number, &mask))
        return false;
    if (prefix_bits_of_netmask(mask, bits))
        return true;
    config_builder_error(b, "the netmask of `%s' has holes", line->name);
    return false;
}

/* --- Quiet, refused, flags --- */

HANDLER(quiet)
{
    (void)b;
    (void)option;
    (void)line;
}

HANDLER(refuse)
{
    config_builder_error(b, "`%s' is refused: %s", line->name, option->text);
}

HANDLER(set_flag)
{
    (void)line;
    void *field = (char *)out_of(b) + option->field;
    bool *flag = field;
    *flag = true;
}

HANDLER(set_number)
{
    void *field = (char *)out_of(b) + option->field;
    uint32_t *number = field;
    (void)!config_builder_number(b, line, 1, option->first, option->last,
                                 number);
}

/* --- Where clients find it --- */

static bool find_protocol(struct config_builder *b, const char *text,
                          enum config_protocol *protocol,
                          enum address_family *family)
{
    static const struct {
        const char *name;
        enum config_protocol protocol;
        enum address_family family;
    } spellings[] = {
        {"udp", CONFIG_UDP, ADDRESS_NONE},
        {"udp4", CONFIG_UDP, ADDRESS_IPV4},
        {"udp6", CONFIG_UDP, ADDRESS_NONE}, /* OpenVPN's takes both, too */
        {"tcp", CONFIG_TCP, ADDRESS_NONE},
        {"tcp4", CONFIG_TCP, ADDRESS_IPV4},
        {"tcp6", CONFIG_TCP, ADDRESS_NONE},
        {"tcp-server", CONFIG_TCP, ADDRESS_NONE},
        {"tcp4-server", CONFIG_TCP, ADDRESS_IPV4},
        {"tcp6-server", CONFIG_TCP, ADDRESS_NONE},
    };
    char out[LOG_QUOTE_SIZE];
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        if (strcasecmp(text, spellings[i].name) != 0)
            continue;
        *protocol = spellings[i].protocol;
        *family = spellings[i].family;
        return true;
    }
    config_builder_error(b, "`%s' is not a server's protocol; udp and tcp are",
                         quoted(out, text));
    return false;
}

/* Several lines, as OpenVPN 2.7 has it: one for each protocol. */
HANDLER(local)
{
    (void)option;
    struct server_config_builder *s = builder_of(b);
    struct server_config_local l = {.line = b->line};
    const char *text = config_builder_argument(line, 1);
    const char *protocol = config_builder_argument(line, 3);
    char out[LOG_QUOTE_SIZE];
    uint32_t number;
    if (strcmp(text, "*") != 0 &&
        !address_parse(bytes_of_text(text), &l.address)) {
        config_builder_error(b, "`%s' is not an IP address", quoted(out, text));
        return;
    }
    if (config_builder_argument(line, 2)) {
        if (!config_builder_number(b, line, 2, 1, UINT16_MAX, &number))
            return;
        l.port = (uint16_t)number;
    }
    l.has_protocol = protocol != NULL;
    if (protocol && !find_protocol(b, protocol, &l.protocol, &l.family))
        return;
    if (s->local_count == SERVER_CONFIG_LOCALS_MAX)
        config_builder_error(b, "there can be one `local' for each protocol");
    else
        s->locals[s->local_count++] = l;
}

HANDLER(port)
{
    (void)option;
    uint32_t value;
    if (config_builder_number(b, line, 1, 1, UINT16_MAX, &value))
        builder_of(b)->port = (uint16_t)value;
}

HANDLER(proto)
{
    (void)option;
    struct server_config_builder *s = builder_of(b);
    (void)find_protocol(b, config_builder_argument(line, 1), &s->protocol,
                        &s->family);
}

HANDLER(device)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    if (text_starts_with(bytes_of_text(text), "tap")) {
        config_builder_error(b, "`dev tap' is refused: Ethernet tunnels are "
                                "not supported, only IP (tun)");
        return;
    }
    for (const char *p = text; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("-_.", *p))
            continue;
        config_builder_error(b, "`%s' is not a name of an interface",
                             quoted(out, text));
        return;
    }
    /* "tun" alone: a number of the kernel's choice, which is tun0 here. */
    if (strcmp(text, "tun") != 0 &&
        !text_copy(out_of(b)->device, SERVER_CONFIG_DEVICE_SIZE,
                   bytes_of_text(text)))
        config_builder_error(b, "the name of `dev' is too long");
}

HANDLER(mode)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "server") != 0)
        config_builder_error(b, "only `mode server' is a server's");
}

/* --- Inside the tunnel --- */

HANDLER(server)
{
    (void)option;
    struct server_config *c = out_of(b);
    uint32_t network;
    uint8_t bits;
    char out[LOG_QUOTE_SIZE];
    const char *more = config_builder_argument(line, 3);
    if (!read_ipv4(b, line, 1, &network) || !read_netmask(b, line, 2, &bits))
        return;
    if (more && strcmp(more, "nopool") != 0) {
        config_builder_error(b, "`%s' is not `nopool'", quoted(out, more));
        return;
    }
    if (bits < 8 || bits > 29) {
        config_builder_error(b, "`server' wants a network from /8 to /29");
        return;
    }
    uint32_t hosts = UINT32_MAX >> bits;
    if (network & hosts) {
        config_builder_error(b, "`server' wants a network's address; its "
                                "netmask leaves bits of it over");
        return;
    }
    c->ipv4 = (struct prefix){address_ipv4(network + 1), bits};
    if (more || builder_of(b)->has_pool)
        return;
    c->pool_first = network + 2;
    c->pool_last = network + hosts - 1;
}

HANDLER(server_ipv6)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    struct prefix p;
    char out[LOG_QUOTE_SIZE];
    if (!prefix_parse(bytes_of_text(text), &p) ||
        p.address.family != ADDRESS_IPV6) {
        config_builder_error(b, "`%s' is not an IPv6 network",
                             quoted(out, text));
        return;
    }
    if (p.bits < 64 || p.bits > 112) {
        config_builder_error(b, "`server-ipv6' wants a network from /64 to "
                                "/112");
        return;
    }
    p.address.bytes[15] = 1;
    out_of(b)->ipv6 = p;
}

HANDLER(ifconfig_pool)
{
    (void)option;
    struct server_config *c = out_of(b);
    uint32_t first, last;
    if (!read_ipv4(b, line, 1, &first) || !read_ipv4(b, line, 2, &last))
        return;
    if (first > last) {
        config_builder_error(b, "`ifconfig-pool' ends before it begins");
        return;
    }
    c->pool_first = first;
    c->pool_last = last;
    builder_of(b)->has_pool = true;
}

HANDLER(topology)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "subnet") != 0)
        config_builder_error(b, "only `topology subnet' is supported");
}

static void add_route(struct config_builder *b, const struct prefix *p)
{
    struct server_config *c = out_of(b);
    if (c->route_count == SERVER_CONFIG_ROUTES_MAX)
        config_builder_error(b, "more than %d routes",
                             SERVER_CONFIG_ROUTES_MAX);
    else
        c->routes[c->route_count++] = *p;
}

HANDLER(route)
{
    (void)option;
    uint32_t network;
    uint8_t bits = 32;
    if (!read_ipv4(b, line, 1, &network) ||
        (config_builder_argument(line, 2) && !read_netmask(b, line, 2, &bits)))
        return;
    struct address a = address_ipv4(network);
    struct prefix p = prefix_of(&a, bits);
    add_route(b, &p);
}

HANDLER(route_ipv6)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    struct prefix p;
    char out[LOG_QUOTE_SIZE];
    if (prefix_parse(bytes_of_text(text), &p) &&
        p.address.family == ADDRESS_IPV6)
        add_route(b, &p);
    else
        config_builder_error(b, "`%s' is not an IPv6 network",
                             quoted(out, text));
}

HANDLER(push)
{
    (void)option;
    struct server_config *c = out_of(b);
    const char *text = config_builder_argument(line, 1);
    if (c->push_count == SERVER_CONFIG_PUSHES_MAX) {
        config_builder_error(b, "more than %d options to push",
                             SERVER_CONFIG_PUSHES_MAX);
        return;
    }
    size_t size = strlen(text);
    if (size == 0 || size >= SERVER_CONFIG_PUSH_SIZE) {
        config_builder_error(b, "an option to push has 1 to %d characters",
                             SERVER_CONFIG_PUSH_SIZE - 1);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if (isprint((unsigned char)text[i]) && text[i] != ',')
            continue;
        config_builder_error(b, "an option to push is printable ASCII without "
                                "a comma, which would end it");
        return;
    }
    (void)!config_builder_append(b, &c->pushes, &c->push_count,
                                 bytes_of_text(text));
}

HANDLER(keepalive)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (!config_builder_number(b, line, 1, 0, 86400, &c->ping) ||
        !config_builder_number(b, line, 2, 0, 86400, &c->ping_restart))
        return;
    if (c->ping_restart && c->ping_restart < 2 * c->ping)
        config_builder_error(b, "`keepalive' must wait at least twice as long "
                                "as it pings");
}

/* --- Who may come --- */

HANDLER(verify_client_cert)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    if (!text || !strcmp(text, "require"))
        out_of(b)->certificate = SERVER_CERTIFICATE_REQUIRED;
    else if (!strcmp(text, "none"))
        out_of(b)->certificate = SERVER_CERTIFICATE_NONE;
    else
        config_builder_error(b, "`%s' is not `require' or `none'",
                             quoted(out, text));
}

/* As in a profile, but the list may change while the server runs. */
HANDLER(crl_verify)
{
    (void)option;
    const struct config_option *common = config_options_find("crl-verify");
    if (config_builder_argument(line, 2)) {
        config_builder_error(b, "a directory of `crl-verify' is not supported");
        return;
    }
    common->apply(b, common, line);
    if (!line->is_inline)
        (void)!config_builder_text(b, &out_of(b)->revoked_file,
                                   config_builder_argument(line, 1));
}

/* Read when somebody logs in, so that it is only a path here. */
HANDLER(user_pass_file)
{
    (void)option;
    (void)!config_builder_text(b, &out_of(b)->users,
                               config_builder_argument(line, 1));
}

HANDLER(remote_cert_tls)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "client") != 0)
        config_builder_error(b, "a server's `remote-cert-tls' is client");
    else
        out_of(b)->common.remote_cert_tls_client = true;
}

HANDLER(connect_freq_initial)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_number(b, line, 1, 1, 1000000, &c->first_answers))
        (void)!config_builder_number(b, line, 2, 1, 3600, &c->first_seconds);
}

HANDLER(connect_freq)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (config_builder_number(b, line, 1, 1, 1000000, &c->logins))
        (void)!config_builder_number(b, line, 2, 1, 3600, &c->logins_seconds);
}

HANDLER(explicit_exit_notify)
{
    (void)option;
    uint32_t value = 1;
    if (config_builder_argument(line, 1) &&
        !config_builder_number(b, line, 1, 0, 2, &value))
        return;
    out_of(b)->exit_notify = value > 0;
    out_of(b)->exit_advance = value == 2;
}

/* Clients' own keys, which only this one can unwrap. Old clients that cannot
 * send theirs twice would need state for a first packet. */
HANDLER(tls_crypt_v2)
{
    (void)option;
    static const char start[] = "-----BEGIN OpenVPN tls-crypt-v2 server key";
    struct config_draft *draft = &b->common;
    struct config_blob content;
    const char *cookie = config_builder_argument(line, 2);
    if (cookie && strcmp(cookie, "force-cookie") != 0) {
        config_builder_error(b, "only `force-cookie' is supported");
        return;
    }
    if (!config_builder_content(b, line, &content))
        return;
    if (!memmem(content.data, content.size, start, strlen(start)) ||
        draft->said & CONFIG_SAID_WRAP) {
        config_builder_error(b, draft->said & CONFIG_SAID_WRAP
                                    ? "only one of tls-auth, tls-crypt and "
                                      "tls-crypt-v2 can be"
                                    : "`tls-crypt-v2' holds no server's key");
        config_builder_free_blob(&content);
        return;
    }
    draft->remote.wrap = CONFIG_WRAP_TLS_CRYPT_V2;
    draft->remote.wrap_key = content;
    draft->said |= CONFIG_SAID_WRAP;
}

HANDLER(compression)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    if (!text || (strcmp(text, "no") != 0 && strcmp(text, "migrate") != 0))
        config_builder_error(b,
                             "`%s' is refused: compression tells what is "
                             "inside of the encryption",
                             line->name);
}

enum { ANY = CONFIG_TOKENS_MAX };

#define FIELD(member) offsetof(struct server_config, member)
#define CALL(name, least, most, handler)                                       \
    {                                                                          \
        name, least, most, 0, handler, 0, 0, 0, NULL                           \
    }
#define FLAG(name, member)                                                     \
    {                                                                          \
        name, 0, 0, 0, set_flag, FIELD(member), 0, 0, NULL                     \
    }
#define NUMBER(name, member, first, last)                                      \
    {                                                                          \
        name, 1, 1, 0, set_number, FIELD(member), first, last, NULL            \
    }
#define QUIET(name) CALL(name, 0, ANY, quiet)
#define REFUSE(name, why)                                                      \
    {                                                                          \
        name, 0, ANY, CONFIG_AS_BLOCK, refuse, 0, 0, 0, why                    \
    }
#define LATER(name) REFUSE(name, "it is not supported yet")

static const struct config_option table[] = {
    CALL("local", 1, 3, local),
    CALL("port", 1, 1, port),
    CALL("lport", 1, 1, port),
    CALL("proto", 1, 1, proto),
    CALL("dev", 1, 1, device),
    QUIET("dev-type"),
    CALL("mode", 1, 1, mode),
    QUIET("tls-server"),

    CALL("server", 2, 3, server),
    CALL("server-ipv6", 1, 1, server_ipv6),
    CALL("ifconfig-pool", 2, 3, ifconfig_pool),
    CALL("topology", 1, 1, topology),
    CALL("route", 1, 4, route),
    CALL("route-ipv6", 1, 3, route_ipv6),
    CALL("push", 1, 1, push),
    CALL("keepalive", 2, 2, keepalive),
    NUMBER("ping", ping, 0, 86400),
    NUMBER("ping-restart", ping_restart, 0, 86400),

    CALL("verify-client-cert", 0, 1, verify_client_cert),
    {"crl-verify", 1, 2, CONFIG_AS_BLOCK, crl_verify, 0, 0, 0, NULL},
    CALL("user-pass-file", 1, 1, user_pass_file),
    CALL("remote-cert-tls", 1, 1, remote_cert_tls),
    FLAG("duplicate-cn", duplicate_cn),
    FLAG("client-to-client", client_to_client),
    NUMBER("max-clients", max_clients, 1, SERVER_CONFIG_CLIENTS_MAX),
    {"tls-crypt-v2", 1, 2, CONFIG_AS_BLOCK, tls_crypt_v2, 0, 0, 0, NULL},
    NUMBER("tls-crypt-v2-max-age", wrapped_key_days, 1, 36500),
    CALL("connect-freq", 2, 2, connect_freq),
    CALL("connect-freq-initial", 2, 2, connect_freq_initial),
    CALL("explicit-exit-notify", 0, 1, explicit_exit_notify),

    QUIET("dh"), /* elliptic curves do it */
    QUIET("ifconfig-pool-linear"),
    QUIET("ccd-exclusive"),
    QUIET("hash-size"),
    QUIET("bcast-buffers"),
    QUIET("tcp-queue-limit"),
    QUIET("tcp-nodelay"),
    QUIET("opt-verify"),
    QUIET("force-tls-key-material-export"),
    CALL("compress", 0, 1, compression),
    CALL("comp-lzo", 0, 1, compression),

    LATER("client-config-dir"),
    LATER("ifconfig-pool-persist"),
    LATER("auth-gen-token"),
    LATER("auth-gen-token-secret"),
    LATER("username-as-common-name"),
    REFUSE("auth-user-pass-verify", "this program runs no scripts; write "
                                    "`user-pass-file FILE'"),
    LATER("port-share"),
    LATER("ifconfig-ipv6-pool"),
    LATER("push-remove"),
    LATER("push-reset"),
    LATER("ifconfig-push"),
    LATER("ifconfig-ipv6-push"),
    LATER("iroute"),
    LATER("iroute-ipv6"),
    REFUSE("client-cert-not-required", "write `verify-client-cert none'"),
    REFUSE("server-bridge", "Ethernet tunnels are not supported, only IP"),
    REFUSE("vlan-tagging", "Ethernet tunnels are not supported, only IP"),
    REFUSE("secret", "static-key tunnels without TLS are not supported; they "
                     "have no forward secrecy"),
};

const struct config_option *server_config_options_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

bool server_config_options_client_only(const char *name)
{
    static const char *const names[] = {
        "auth-retry",
        "auth-user-pass",
        "client",
        "connect-retry",
        "connect-timeout",
        "dhcp-option",
        "dns",
        "http-proxy",
        "ifconfig",
        "ifconfig-ipv6",
        "ns-cert-type",
        "proto-force",
        "pull",
        "pull-filter",
        "redirect-gateway",
        "redirect-private",
        "remote",
        "remote-random",
        "route-gateway",
        "route-nopull",
        "socks-proxy",
        "static-challenge",
        "tls-client",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}
