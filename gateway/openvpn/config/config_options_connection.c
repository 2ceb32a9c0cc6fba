#include "gateway/openvpn/config/config_options.h"

#include <stdio.h>
#include <strings.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/config/service_names.h"
#include "gateway/openvpn/control/tls_crypt_v2.h"
#include "gateway/openvpn/keys/static_key.h"

#define HANDLER(verb) CONFIG_OPTIONS_HANDLER(config_options_##verb)

enum { FRAGMENT_LEAST = 68 }; /* bytes; openvpn: options.c */

/* --- Hosts, ports and protocols ------------------------------------------ */

static bool is_host_name(struct bytes text)
{
    if (text.size == 0 || text.size >= CONFIG_HOST_SIZE || text.data[0] == '-')
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        if (!plain)
            return false;
    }
    return true;
}

/* A name, or an address, which [] may surround. */
static bool set_host(struct config_builder *b, const struct config_line *line,
                     char host[CONFIG_HOST_SIZE], struct address *address)
{
    struct bytes text = bytes_of_text(config_builder_argument(line, 1));
    if (text.size > 2 && text.data[0] == '[' &&
        text.data[text.size - 1] == ']') {
        text.data++;
        text.size -= 2;
    }
    *address = (struct address){0};
    if ((address_parse(text, address) || is_host_name(text)) &&
        text_copy(host, CONFIG_HOST_SIZE, text))
        return true;
    char quoted[LOG_QUOTE_SIZE];
    if (text.size && memchr(text.data, '@', text.size))
        config_builder_error(b,
                             "`%s' wants a host without a login (NAME@ or "
                             "NAME:PASSWORD@) in front of it",
                             line->name);
    else
        config_builder_error(b, "`%s' is neither a host name nor an address",
                             log_quote(quoted, text));
    return false;
}

static bool set_port(struct config_builder *b, const struct config_line *line,
                     size_t argument, uint16_t *port)
{
    const char *text = config_builder_argument(line, argument);
    if (text && service_names_find(text, port))
        return true;
    uint32_t value;
    if (!config_builder_number(b, line, argument, 1, 65535, &value))
        return false;
    *port = (uint16_t)value;
    return true;
}

struct spelling {
    const char *name;
    enum config_protocol protocol;
    enum address_family family;
};

static const struct spelling spellings[] = {
    {"udp", CONFIG_UDP, ADDRESS_NONE},
    {"udp4", CONFIG_UDP, ADDRESS_IPV4},
    {"udp6", CONFIG_UDP, ADDRESS_IPV6},
    {"udpv4", CONFIG_UDP, ADDRESS_IPV4},
    {"udpv6", CONFIG_UDP, ADDRESS_IPV6},
    {"tcp", CONFIG_TCP, ADDRESS_NONE},
    {"tcp4", CONFIG_TCP, ADDRESS_IPV4},
    {"tcp6", CONFIG_TCP, ADDRESS_IPV6},
    {"tcpv4", CONFIG_TCP, ADDRESS_IPV4},
    {"tcpv6", CONFIG_TCP, ADDRESS_IPV6},
    {"tcp-client", CONFIG_TCP, ADDRESS_NONE},
    {"tcp4-client", CONFIG_TCP, ADDRESS_IPV4},
    {"tcp6-client", CONFIG_TCP, ADDRESS_IPV6},
    {"tcpv4_client", CONFIG_TCP, ADDRESS_IPV4},
    {"tcpv6_client", CONFIG_TCP, ADDRESS_IPV6},
};

static const struct spelling *find_protocol(struct config_builder *b,
                                            const char *text)
{
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (!strcasecmp(text, spellings[i].name))
            return &spellings[i];
    char quoted[LOG_QUOTE_SIZE];
    config_builder_error(b, "`%s' is not a client's protocol; udp and tcp are",
                         log_quote(quoted, bytes_of_text(text)));
    return NULL;
}

static void set_protocol(struct config_draft *draft, const struct spelling *s)
{
    draft->remote.protocol = s->protocol;
    draft->remote.family = s->family;
    draft->said |= CONFIG_SAID_PROTOCOL;
}

HANDLER(proto)
{
    (void)option;
    const struct spelling *s =
        find_protocol(b, config_builder_argument(line, 1));
    if (s)
        set_protocol(config_builder_draft(b), s);
}

HANDLER(proto_force)
{
    (void)option;
    const struct spelling *s =
        find_protocol(b, config_builder_argument(line, 1));
    if (s) {
        b->protocol_forced = true;
        b->forced_protocol = s->protocol;
    }
}

HANDLER(port)
{
    (void)option;
    struct config_draft *draft = config_builder_draft(b);
    if (set_port(b, line, 1, &draft->remote.port))
        draft->said |= CONFIG_SAID_PORT;
}

HANDLER(local_port)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "0") != 0)
        config_builder_warn(
            b, "`lport' is ignored: a port of the system's choice is used");
}

HANDLER(remote)
{
    (void)option;
    struct config_remote parsed;
    config_remote_init(&parsed);
    struct address address;
    if (!set_host(b, line, parsed.host, &address))
        return;
    bool has_port = config_builder_argument(line, 2) != NULL;
    if (has_port && !set_port(b, line, 2, &parsed.port))
        return;
    const char *protocol = config_builder_argument(line, 3);
    const struct spelling *s = protocol ? find_protocol(b, protocol) : NULL;
    if (protocol && !s)
        return;

    struct config_draft *draft =
        b->block ? b->block : config_builder_add_draft(b);
    if (!draft)
        return;
    if (draft->has_host)
        config_builder_warn(b, "a second `remote' in one <connection>; the "
                               "first is forgotten");
    memcpy(draft->remote.host, parsed.host, sizeof parsed.host);
    draft->has_host = true;
    if (has_port) {
        draft->remote.port = parsed.port;
        draft->said |= CONFIG_SAID_PORT;
    }
    if (s)
        set_protocol(draft, s);
}

/* --- How to try ---------------------------------------------------------- */

HANDLER(connect_timeout)
{
    (void)option;
    struct config_draft *draft = config_builder_draft(b);
    if (config_builder_limit32(b, line, 1, 1, 86400,
                               &draft->remote.connect_timeout))
        draft->said |= CONFIG_SAID_TIMEOUT;
}

HANDLER(connect_retry)
{
    (void)option;
    struct config *c = b->config;
    uint32_t pause, most = c->connect_retry_max;
    if (!config_builder_limit32(b, line, 1, 1, 86400, &pause))
        return;
    if (config_builder_argument(line, 2) &&
        !config_builder_limit32(b, line, 2, 1, 86400, &most))
        most = 0;
    c->connect_retry = pause;
    c->connect_retry_max = most && most < pause ? pause : most;
}

HANDLER(connect_retry_max)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    if (!strcmp(text, "infinite") || !strcmp(text, "unlimited"))
        b->config->connect_cycles_max = 0;
    else
        (void)!config_builder_limit32(b, line, 1, 0, UINT32_MAX,
                                      &b->config->connect_cycles_max);
}

HANDLER(explicit_exit_notify)
{
    (void)option;
    uint32_t times = 1;
    if (config_builder_argument(line, 1) &&
        !config_builder_limit32(b, line, 1, 0, 100, &times))
        return;
    struct config_draft *draft = config_builder_draft(b);
    draft->remote.explicit_exit_notify = times > 0;
    draft->said |= CONFIG_SAID_EXIT_NOTIFY;
}

/* --- Sizes --------------------------------------------------------------- */

HANDLER(tun_mtu)
{
    (void)option;
    uint32_t mtu;
    if (!config_builder_number(b, line, 1, 100, 65535, &mtu))
        return;
    enum { MOST = 1600 }; /* what IV_MTU promises */
    if (mtu > MOST) {
        config_builder_warn(b, "`tun-mtu' is lowered to %d", MOST);
        mtu = MOST;
    }
    struct config_draft *draft = config_builder_draft(b);
    draft->remote.tun_mtu = (uint16_t)mtu;
    draft->said |= CONFIG_SAID_TUN_MTU;
}

HANDLER(mssfix)
{
    (void)option;
    struct config_draft *draft = config_builder_draft(b);
    const char *how = config_builder_argument(line, 2);
    if (how && strcmp(how, "mtu") != 0 && strcmp(how, "fixed") != 0) {
        config_builder_error(b, "`mssfix' knows `mtu' and `fixed' after the "
                                "number");
        return;
    }
    uint32_t size = 0;
    bool has_size = config_builder_argument(line, 1) != NULL;
    if (has_size && !config_builder_limit32(b, line, 1, 0, 65535, &size))
        return;
    draft->remote.mssfix = has_size ? (int32_t)size : -1;
    draft->remote.mssfix_with_outer = how && !strcmp(how, "mtu");
    draft->remote.mssfix_fixed = how && !strcmp(how, "fixed");
    draft->said |= CONFIG_SAID_MSSFIX;
}

HANDLER(fragment)
{
    (void)option;
    struct config_draft *draft = config_builder_draft(b);
    const char *how = config_builder_argument(line, 2);
    uint32_t size;
    if (!config_builder_number(b, line, 1, 0, 65535, &size))
        return;
    if (size > 0 && size < FRAGMENT_LEAST) {
        config_builder_error(b,
                             "`fragment' wants %d bytes at least, or 0 for "
                             "none",
                             FRAGMENT_LEAST);
        return;
    }
    if (how && strcmp(how, "mtu") != 0) {
        config_builder_error(b, "`fragment' knows `mtu' after the number");
        return;
    }
    draft->remote.fragment = (uint16_t)size;
    draft->remote.fragment_with_outer = how != NULL;
    draft->said |= CONFIG_SAID_FRAGMENT;
}

/* --- Proxies ------------------------------------------------------------- */

static void set_proxy(struct config_draft *draft, enum config_proxy_kind kind,
                      const char host[CONFIG_HOST_SIZE], uint16_t port)
{
    struct config_proxy *proxy = &draft->remote.proxy;
    proxy->kind = kind;
    memcpy(proxy->host, host, CONFIG_HOST_SIZE);
    proxy->port = port;
    draft->said |= CONFIG_SAID_PROXY;
}

static bool set_proxy_user(struct config_builder *b, struct config_draft *draft,
                           struct bytes content, const char *name)
{
    struct config_proxy *proxy = &draft->remote.proxy;
    if (!config_builder_credentials(b, content, &proxy->username,
                                    &proxy->password)) {
        config_builder_error(b, "`%s' wants two lines: a name and a password",
                             name);
        return false;
    }
    draft->said |= CONFIG_SAID_PROXY_USER;
    return true;
}

/* The credentials of a proxy stand in a file that a later argument names. */
static bool set_proxy_user_from_file(struct config_builder *b,
                                     struct config_draft *draft,
                                     const char *path, const char *name)
{
    struct config_tokens tokens = {.count = 2, .token = {name, path}};
    struct config_line line = {.name = name, .tokens = &tokens};
    struct blob content;
    if (!config_builder_content(b, &line, &content))
        return false;
    bool good =
        set_proxy_user(b, draft, bytes_of(content.data, content.size), name);
    blob_free(&content);
    return good;
}

HANDLER(http_proxy)
{
    (void)option;
    char host[CONFIG_HOST_SIZE];
    struct address address;
    uint16_t port;
    if (!set_host(b, line, host, &address) || !set_port(b, line, 2, &port))
        return;

    const char *method = config_builder_argument(line, 4);
    if (method && !strncasecmp(method, "ntlm", 4)) {
        config_builder_error(b,
                             "`http-proxy' with NTLM is not supported; basic "
                             "authentication is");
        return;
    }
    static const char *const words[] = {"auto", "auto-nct", "none", "basic",
                                        "stdin"};
    const char *file = config_builder_argument(line, 3);
    for (size_t i = 0; file && i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(file, words[i]))
            file = NULL;

    struct config_draft *draft = config_builder_draft(b);
    if (file && !set_proxy_user_from_file(b, draft, file, line->name))
        return;
    set_proxy(draft, CONFIG_PROXY_HTTP, host, port);
}

HANDLER(socks_proxy)
{
    (void)option;
    char host[CONFIG_HOST_SIZE];
    struct address address;
    uint16_t port = 1080;
    if (!set_host(b, line, host, &address))
        return;
    if (config_builder_argument(line, 2) && !set_port(b, line, 2, &port))
        return;
    struct config_draft *draft = config_builder_draft(b);
    const char *file = config_builder_argument(line, 3);
    if (file && strcmp(file, "stdin") != 0 &&
        !set_proxy_user_from_file(b, draft, file, line->name))
        return;
    set_proxy(draft, CONFIG_PROXY_SOCKS, host, port);
}

HANDLER(http_proxy_user_pass)
{
    (void)option;
    struct blob content;
    if (!config_builder_content(b, line, &content))
        return;
    (void)set_proxy_user(b, config_builder_draft(b),
                         bytes_of(content.data, content.size), line->name);
    blob_free(&content);
}

/* A header goes to the proxy as it stands: nothing in it may end the line. */
static bool is_header_text(const char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
            return false;
    return true;
}

static void add_header(struct config_builder *b, const char *name,
                       const char *value)
{
    enum { HEADERS_MOST = 2048 };
    struct config_draft *draft = config_builder_draft(b);
    char **headers = &draft->remote.proxy.headers;
    char joined[HEADERS_MOST];
    int n = snprintf(joined, sizeof joined, "%s%s: %s\r\n",
                     *headers ? *headers : "", name, value);
    if (!is_header_text(name) || !is_header_text(value) || strchr(name, ':') ||
        *name == '\0' || n < 0 || (size_t)n >= sizeof joined) {
        config_builder_error(b, "not a header line that a proxy could read");
        return;
    }
    if (config_builder_text(b, headers, joined))
        draft->said |= CONFIG_SAID_PROXY_OPTION;
}

HANDLER(http_proxy_option)
{
    (void)option;
    const char *what = config_builder_argument(line, 1);
    const char *value = config_builder_argument(line, 2);
    const char *more = config_builder_argument(line, 3);
    struct config_draft *draft = config_builder_draft(b);
    if (!strcasecmp(what, "VERSION")) {
        draft->remote.proxy.http_1_1 = !strcmp(value, "1.1");
        draft->said |= CONFIG_SAID_PROXY_OPTION;
    } else if (!strcasecmp(what, "AGENT")) {
        add_header(b, "User-Agent", value);
    } else if (!strcasecmp(what, "CUSTOM-HEADER")) {
        add_header(b, value, more ? more : "");
    } else {
        config_builder_warn(b, "an `http-proxy-option' that is not known here "
                               "is ignored");
    }
}

/* --- The control channel's wrapping -------------------------------------- */

static const char static_key_start[] = "-----BEGIN OpenVPN Static key V1-----";
static const char client_key_start[] =
    "-----BEGIN OpenVPN tls-crypt-v2 client key-----";
static const char server_key_start[] =
    "-----BEGIN OpenVPN tls-crypt-v2 server key-----";

static bool holds(const struct blob *blob, const char *text)
{
    return memmem(blob->data, blob->size, text, strlen(text)) != NULL;
}

/* Whether it will be taken when it is needed. */
static bool is_whole_key(const struct blob *blob, enum config_wrap kind)
{
    struct bytes text = bytes_of(blob->data, blob->size);
    struct tls_crypt_v2_client_key wrapped;
    struct static_key key;
    bool whole = kind == CONFIG_WRAP_TLS_CRYPT_V2
                     ? tls_crypt_v2_parse_client(text, &wrapped)
                     : static_key_parse(text, &key);
    secret_wipe(&wrapped, sizeof wrapped);
    secret_wipe(&key, sizeof key);
    return whole;
}

static bool set_wrap(struct config_builder *b, const struct config_line *line,
                     enum config_wrap kind, const char *start)
{
    struct config_draft *draft = config_builder_draft(b);
    if ((draft->said & CONFIG_SAID_WRAP) && draft->remote.wrap != kind) {
        config_builder_error(b, "only one of tls-auth, tls-crypt and "
                                "tls-crypt-v2 can be used");
        return false;
    }
    struct blob content;
    if (!config_builder_content(b, line, &content))
        return false;
    bool there = holds(&content, start);
    if (there && is_whole_key(&content, kind)) {
        blob_free(&draft->remote.wrap_key);
        draft->remote.wrap_key = content;
        draft->remote.wrap = kind;
        draft->said |= CONFIG_SAID_WRAP;
        return true;
    }
    if (there)
        config_builder_error(b,
                             "the key in `%s' is damaged: a part is missing, "
                             "or does not belong there",
                             line->name);
    else if (holds(&content, server_key_start))
        config_builder_error(b,
                             "`%s' holds the server's key; a client's is "
                             "made from it",
                             line->name);
    else
        config_builder_error(b, "`%s' holds no `%s'", line->name, start);
    blob_free(&content);
    return false;
}

static void set_direction(struct config_builder *b,
                          const struct config_line *line, size_t argument)
{
    const char *text = config_builder_argument(line, argument);
    if (!strcmp(text, "bidirectional"))
        return;
    uint32_t direction;
    if (!config_builder_number(b, line, argument, 0, 1, &direction))
        return;
    struct config_draft *draft = config_builder_draft(b);
    draft->remote.key_direction = (int)direction;
    draft->said |= CONFIG_SAID_KEY_DIRECTION;
}

HANDLER(tls_auth)
{
    (void)option;
    if (set_wrap(b, line, CONFIG_WRAP_TLS_AUTH, static_key_start) &&
        config_builder_argument(line, 2))
        set_direction(b, line, 2);
}

HANDLER(tls_crypt)
{
    (void)option;
    (void)set_wrap(b, line, CONFIG_WRAP_TLS_CRYPT, static_key_start);
}

HANDLER(tls_crypt_v2)
{
    (void)option;
    (void)set_wrap(b, line, CONFIG_WRAP_TLS_CRYPT_V2, client_key_start);
}

HANDLER(key_direction)
{
    (void)option;
    set_direction(b, line, 1);
}

/* Its direction is that of tls-auth: a profile has one or the other. */
HANDLER(secret)
{
    (void)option;
    struct static_key key;
    struct blob content;
    b->secret_line = b->line;
    if (!config_builder_content(b, line, &content))
        return;
    bool good = static_key_parse(bytes_of(content.data, content.size), &key);
    secret_wipe(&key, sizeof key);
    if (!good) {
        config_builder_error(b,
                             "`secret' holds no key of 256 bytes behind "
                             "`%s'",
                             static_key_start);
        blob_free(&content);
        return;
    }
    blob_free(&b->config->static_key);
    b->config->static_key = content;
    if (config_builder_argument(line, 2))
        set_direction(b, line, 2);
}
