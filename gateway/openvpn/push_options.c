#include "gateway/openvpn/push_options.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/cipher_names.h"
#include "gateway/openvpn/config_parser.h"
#include "gateway/openvpn/data_channel.h"

enum {
    DAY = 86400,
    LEAST_MTU = 100,
    MOST_MTU = 1600, /* what IV_MTU promises */
};

/* Who says it, and to whom problems are told. */
struct source {
    bool pushed;
    push_report *report;
    void *context;
};

static void tell(const struct source *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(const struct source *s, const char *format, ...)
{
    if (!s->report)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    s->report(s->context, text);
}

static const char *argument(const struct config_tokens *t, size_t i)
{
    return i < t->count ? t->token[i] : NULL;
}

static bool parse_number(const struct config_tokens *t, size_t i, uint32_t most,
                         uint32_t *out)
{
    const char *text = argument(t, i);
    return text && text_to_u32(bytes_of_text(text), most, out);
}

/* --- One function for each option; false if it is malformed --- */

#define OPTION(verb)                                                           \
    static bool verb(struct push_options *o, const struct config_tokens *t,    \
                     const struct source *s)

/* What push_route.h and push_dns.h understand. */
#define ROUTE_OPTION(verb, function)                                           \
    OPTION(verb)                                                               \
    {                                                                          \
        const char *note = NULL;                                               \
        bool good = function(&o->route, t, &note);                             \
        if (note)                                                              \
            tell(s, "%s", note);                                               \
        return good;                                                           \
    }

ROUTE_OPTION(ifconfig, push_route_ifconfig)
ROUTE_OPTION(ifconfig_ipv6, push_route_ifconfig_ipv6)
ROUTE_OPTION(topology, push_route_topology)
ROUTE_OPTION(route, push_route_add)
ROUTE_OPTION(route_ipv6, push_route_add_ipv6)
ROUTE_OPTION(route_gateway, push_route_gateway)
ROUTE_OPTION(route_metric, push_route_metric)
ROUTE_OPTION(redirect, push_route_redirect)

OPTION(block_ipv6)
{
    (void)t, (void)s;
    o->route.block_ipv6 = true;
    return true;
}

OPTION(dhcp_option)
{
    const char *note = NULL;
    bool good = push_dns_add_dhcp(&o->dns, t, &note);
    if (note)
        tell(s, "%s", note);
    return good;
}

OPTION(dns)
{
    const char *note = NULL;
    bool good = push_dns_add(&o->dns, t, s->pushed, &note);
    if (note)
        tell(s, "%s", note);
    return good;
}

OPTION(tun_mtu)
{
    (void)s;
    uint32_t mtu;
    if (!parse_number(t, 1, MOST_MTU, &mtu) || mtu < LEAST_MTU)
        return false;
    o->tun_mtu = (uint16_t)mtu;
    return true;
}

OPTION(peer_id)
{
    (void)s;
    return parse_number(t, 1, PEER_ID_NONE, &o->peer_id);
}

OPTION(cipher)
{
    (void)s;
    struct bytes name = bytes_of_text(t->token[1]);
    const struct cipher_name *known = cipher_names_find(name);
    /* An unknown one is kept as it is, for the message that refuses it. */
    return text_copy(o->cipher, sizeof o->cipher,
                     known ? bytes_of_text(known->name) : name);
}

/* Flags that change the packets' format: to ignore one would garble them. */
OPTION(protocol_flags)
{
    for (size_t i = 1; i < t->count; i++) {
        struct bytes flag = bytes_of_text(t->token[i]);
        char quoted[LOG_QUOTE_SIZE];
        if (text_equal(flag, "cc-exit"))
            o->cc_exit = true;
        else if (text_equal(flag, "tls-ekm"))
            o->tls_ekm = true;
        else if (text_equal(flag, "dyn-tls-crypt"))
            o->dyn_tls_crypt = true;
        else if (text_equal(flag, "aead-epoch"))
            o->aead_epoch = true;
        else {
            o->rejected = true;
            tell(s,
                 "the server uses the protocol flag `%s', which is not "
                 "known here",
                 log_quote(quoted, flag));
        }
    }
    return true;
}

OPTION(key_derivation)
{
    if (!strcmp(t->token[1], "tls-ekm")) {
        o->tls_ekm = true;
        return true;
    }
    o->rejected = true;
    tell(s, "the server derives keys in a way that is not known here");
    return true;
}

OPTION(compress)
{
    enum config_compression framing;
    const char *word = argument(t, 1);
    if (!push_options_compress(word, &framing))
        return false;
    if (word && (!strcmp(word, "lz4") || !strcmp(word, "lz4-v2")))
        tell(s,
             "the server would compress with %s: packets that are "
             "compressed cannot be read",
             word);
    o->compression = framing;
    o->compression_set = true;
    return true;
}

OPTION(comp_lzo)
{
    (void)s;
    const char *word = argument(t, 1);
    if (word && strcmp(word, "no") != 0 && strcmp(word, "yes") != 0 &&
        strcmp(word, "adaptive") != 0)
        return false;
    o->compression = CONFIG_COMPRESSION_LZO;
    o->compression_set = true;
    return true;
}

OPTION(ping)
{
    (void)s;
    if (!parse_number(t, 1, DAY, &o->ping))
        return false;
    o->ping_set = true;
    return true;
}

OPTION(ping_restart)
{
    (void)s;
    if (!parse_number(t, 1, DAY, &o->ping_restart))
        return false;
    o->ping_restart_set = true;
    return true;
}

OPTION(ping_exit)
{
    (void)s;
    return parse_number(t, 1, DAY, &o->ping_exit);
}

OPTION(inactive)
{
    (void)s;
    uint32_t seconds, least = 0;
    if (!parse_number(t, 1, UINT32_MAX, &seconds) ||
        (argument(t, 2) && !parse_number(t, 2, UINT32_MAX, &least)))
        return false;
    o->inactive = seconds;
    o->inactive_bytes = least;
    return true;
}

OPTION(session_timeout)
{
    (void)s;
    return parse_number(t, 1, UINT32_MAX, &o->session_timeout);
}

OPTION(explicit_exit_notify)
{
    (void)s;
    uint32_t times = 1;
    if (argument(t, 1) && !parse_number(t, 1, 100, &times))
        return false;
    o->explicit_exit_notify = times > 0;
    return true;
}

OPTION(auth_token)
{
    (void)s;
    return text_copy(o->auth_token, sizeof o->auth_token,
                     bytes_of_text(t->token[1]));
}

OPTION(auth_token_user)
{
    (void)s;
    uint8_t name[PUSH_TOKEN_SIZE];
    size_t size;
    bool good = text_from_base64(bytes_of_text(t->token[1]), name, sizeof name,
                                 &size) &&
                text_copy(o->auth_token_user, sizeof o->auth_token_user,
                          bytes_of(name, size));
    secret_wipe(name, sizeof name);
    return good;
}

OPTION(continuation)
{
    (void)s;
    return parse_number(t, 1, 2, &o->continuation);
}

OPTION(nothing)
{
    (void)o, (void)t, (void)s;
    return true;
}

/* --- The table --- */

/* Groups that a PUSH_UPDATE replaces as a whole. */
enum group {
    GROUP_NONE,
    GROUP_ROUTE,
    GROUP_ROUTE_IPV6,
    GROUP_REDIRECT,
    GROUP_DNS,
    GROUP_DHCP,
};

enum {
    PUSHED = 1 << 0,  /* a server may say it */
    PROFILE = 1 << 1, /* the profile's lines come here */
    ROUTES = 1 << 2,  /* `route-nopull` leaves it out */
    UPDATES = 1 << 3, /* PUSH_UPDATE may change it */
    BOTH = PUSHED | PROFILE,
    MOST = 16, /* arguments */
};

static const struct option {
    const char *name;
    uint8_t least, most; /* arguments */
    uint8_t flags;
    enum group group;
    bool (*apply)(struct push_options *, const struct config_tokens *,
                  const struct source *);
} table[] = {
    {"ifconfig", 2, 2, BOTH | UPDATES, GROUP_NONE, ifconfig},
    {"ifconfig-ipv6", 1, 2, BOTH | UPDATES, GROUP_NONE, ifconfig_ipv6},
    {"topology", 1, 1, BOTH | UPDATES, GROUP_NONE, topology},
    {"route-gateway", 1, 1, BOTH | UPDATES, GROUP_NONE, route_gateway},
    {"route-metric", 1, 1, BOTH | ROUTES | UPDATES, GROUP_NONE, route_metric},
    {"route", 1, 4, BOTH | ROUTES | UPDATES, GROUP_ROUTE, route},
    {"route-ipv6", 1, 3, BOTH | ROUTES | UPDATES, GROUP_ROUTE_IPV6, route_ipv6},
    {"redirect-gateway", 0, MOST, BOTH | ROUTES | UPDATES, GROUP_REDIRECT,
     redirect},
    {"redirect-private", 0, MOST, BOTH | ROUTES | UPDATES, GROUP_REDIRECT,
     redirect},
    {"block-ipv6", 0, 0, BOTH | ROUTES | UPDATES, GROUP_NONE, block_ipv6},
    {"dhcp-option", 1, MOST, BOTH | ROUTES | UPDATES, GROUP_DHCP, dhcp_option},
    {"dns", 2, MOST, BOTH | ROUTES | UPDATES, GROUP_DNS, dns},
    {"block-outside-dns", 0, 0, PUSHED | ROUTES | UPDATES, GROUP_NONE, nothing},
    {"tun-mtu", 1, 2, PUSHED | UPDATES, GROUP_NONE, tun_mtu},
    {"push-continuation", 1, 1, PUSHED | UPDATES, GROUP_NONE, continuation},

    {"peer-id", 1, 1, PUSHED, GROUP_NONE, peer_id},
    {"cipher", 1, 1, PUSHED, GROUP_NONE, cipher},
    {"protocol-flags", 1, MOST, PUSHED, GROUP_NONE, protocol_flags},
    {"key-derivation", 1, 1, PUSHED, GROUP_NONE, key_derivation},
    {"compress", 0, 1, PUSHED, GROUP_NONE, compress},
    {"comp-lzo", 0, 1, PUSHED, GROUP_NONE, comp_lzo},
    {"auth-token", 1, 1, PUSHED, GROUP_NONE, auth_token},
    {"auth-token-user", 1, 1, PUSHED, GROUP_NONE, auth_token_user},

    {"ping", 1, 1, PUSHED, GROUP_NONE, ping},
    {"ping-restart", 1, 1, PUSHED, GROUP_NONE, ping_restart},
    {"ping-exit", 1, 1, PUSHED, GROUP_NONE, ping_exit},
    {"inactive", 1, 2, PUSHED, GROUP_NONE, inactive},
    {"session-timeout", 1, 1, PUSHED, GROUP_NONE, session_timeout},
    {"explicit-exit-notify", 0, 1, PUSHED, GROUP_NONE, explicit_exit_notify},

    /* Nothing is lost without them: a word about each would be noise. */
    {"keepalive", 2, 2, PUSHED | UPDATES, GROUP_NONE, nothing},
    {"ping-timer-rem", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"persist-tun", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"persist-key", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"persist-local-ip", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"persist-remote-ip", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"sndbuf", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"rcvbuf", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"socket-flags", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"shaper", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"txqueuelen", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"verb", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"mute", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"lladdr", 1, 1, PUSHED, GROUP_NONE, nothing},
    {"client-nat", 0, MOST, PUSHED | ROUTES, GROUP_NONE, nothing},
    {"route-delay", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"route-method", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"max-routes", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"setenv-safe", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"echo", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"parameter", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"tun-ipv6", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"ip-win32", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"register-dns", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"dhcp-renew", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"dhcp-release", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"dhcp-pre-release", 0, 0, PUSHED, GROUP_NONE, nothing},
    {"tap-sleep", 0, MOST, PUSHED, GROUP_NONE, nothing},
    {"show-net-up", 0, 0, PUSHED, GROUP_NONE, nothing},
};

static const struct option *find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

/* True if the option had its effect. */
static bool apply(struct push_options *o, const struct option *option,
                  const struct config_tokens *t, const struct source *s)
{
    size_t arguments = t->count - 1;
    /* Values may be secret: only the name is told. */
    if (arguments < option->least || arguments > option->most ||
        !option->apply(o, t, s)) {
        if (s->pushed)
            tell(s, "the server's `%s' is malformed and ignored", option->name);
        return false;
    }
    return true;
}

/* --- Messages --- */

void push_options_init(struct push_options *o, const struct config *config,
                       push_report *report, void *context)
{
    *o = (struct push_options){
        .tun_mtu = config->remote_count ? config->remotes[0].tun_mtu
                                        : TUNNEL_MTU_DEFAULT,
        .peer_id = PEER_ID_NONE,
        .compression = config->compression,
        .compression_set = config->compression_set,
        .ping = config->ping,
        .ping_restart = config->ping_restart,
        .ping_exit = config->ping_exit,
        .ping_restart_set = config->ping_restart_set,
        .inactive = config->inactive,
        .inactive_bytes = config->inactive_bytes,
        .session_timeout = config->session_timeout,
    };
    for (size_t i = 0; i < config->option_count; i++)
        (void)!push_options_add_line(o, bytes_of_text(config->options[i]),
                                     report, context);
}

void push_options_clear(struct push_options *o)
{
    secret_wipe(o, sizeof *o);
}

bool push_options_add_line(struct push_options *o, struct bytes line,
                           push_report *report, void *context)
{
    const struct source s = {.report = report, .context = context};
    struct config_tokens t;
    if (!config_tokenize(line, &t) || t.count == 0)
        return false;
    const struct option *option = find(t.token[0]);
    return option && (option->flags & PROFILE) && apply(o, option, &t, &s);
}

/* The first filter that fits decides; a filter is a plain prefix. */
static enum config_pull_action filter(const struct config *config,
                                      struct bytes text)
{
    for (size_t i = 0; i < config->pull_filter_count; i++)
        if (text_starts_with(text, config->pull_filters[i].prefix))
            return config->pull_filters[i].action;
    return CONFIG_PULL_ACCEPT;
}

static void forget(struct push_options *o, enum group group)
{
    switch (group) {
    case GROUP_ROUTE:
        push_route_clear(&o->route, ADDRESS_IPV4);
        break;
    case GROUP_ROUTE_IPV6:
        push_route_clear(&o->route, ADDRESS_IPV6);
        break;
    case GROUP_REDIRECT:
        o->route.redirect_ipv4 = o->route.redirect_ipv6 = false;
        break;
    case GROUP_DNS:
        push_dns_clear_servers(&o->dns);
        break;
    case GROUP_DHCP:
        push_dns_clear_dhcp(&o->dns);
        break;
    case GROUP_NONE:
        break;
    }
}

/* `-name`: what was said about it no longer holds. */
static void remove_option(struct push_options *o, const struct option *option)
{
    if (option->group != GROUP_NONE)
        forget(o, option->group);
    else if (option->apply == block_ipv6)
        o->route.block_ipv6 = false;
    else if (option->apply == ifconfig)
        o->route.local = o->route.remote_or_mask = (struct address){0};
    else if (option->apply == ifconfig_ipv6)
        o->route.local6 = (struct prefix){0};
    else if (option->apply == topology)
        o->route.topology = PUSH_NET30;
    else if (option->apply == route_gateway)
        o->route.gateway = (struct address){0};
    else if (option->apply == route_metric)
        o->route.metric = 0;
    else if (option->apply == tun_mtu)
        o->tun_mtu = TUNNEL_MTU_DEFAULT;
}

/* The marks before an option of a PUSH_UPDATE. */
struct marks {
    bool removed;  /* - */
    bool optional; /* ? */
};

static struct marks cut_marks(struct bytes *text)
{
    struct marks m = {0};
    if (text_starts_with(*text, "-")) {
        m.removed = true;
        *text = bytes_of(text->data + 1, text->size - 1);
    }
    if (text_starts_with(*text, "?")) {
        m.optional = true;
        *text = bytes_of(text->data + 1, text->size - 1);
    }
    return m;
}

static void update(struct push_options *o, const struct option *option,
                   const struct config_tokens *t, struct marks marks,
                   const struct source *s)
{
    if (!(option->flags & UPDATES)) {
        if (marks.optional)
            return;
        o->rejected = true;
        tell(s, "the server would change `%s', which needs a new connection",
             option->name);
        return;
    }
    if (marks.removed) {
        remove_option(o, option);
        return;
    }
    /* The first of a kind in a series replaces all there were. */
    unsigned bit = 1u << option->group;
    if (option->group != GROUP_NONE && !(o->replaced & bit)) {
        forget(o, option->group);
        o->replaced |= bit;
    }
    (void)!apply(o, option, t, s);
}

static void tell_unknown(struct push_options *o, struct marks marks,
                         const struct config_tokens *t, const struct source *s)
{
    char quoted[LOG_QUOTE_SIZE];
    const char *name = log_quote(quoted, bytes_of_text(t->token[0]));
    if (!o->updating)
        tell(s, "the server's option `%s' is ignored", name);
    else if (!marks.optional) {
        o->rejected = true;
        tell(s, "the server would change `%s', which is not known here", name);
    }
}

static void add_option(struct push_options *o, struct bytes text,
                       const struct config *config, const struct source *s)
{
    enum config_pull_action action = filter(config, text);
    if (action == CONFIG_PULL_IGNORE)
        return;
    struct marks marks = {0};
    if (o->updating)
        marks = cut_marks(&text);

    struct config_tokens t;
    if (!config_tokenize(text, &t)) {
        tell(s, "an option of the server is malformed and ignored");
        return;
    }
    if (t.count == 0)
        return;
    const struct option *option = find(t.token[0]);
    if (action == CONFIG_PULL_REJECT) {
        o->rejected = true;
        tell(s, "a `pull-filter reject' of the profile fits an option of the "
                "server");
    } else if (!option || !(option->flags & PUSHED)) {
        tell_unknown(o, marks, &t, s);
    } else if ((option->flags & ROUTES) && config->route_nopull) {
        return;
    } else if (o->updating) {
        update(o, option, &t, marks, s);
    } else {
        (void)!apply(o, option, &t, s);
    }
}

/* "PUSH_REPLY" alone, or with a comma behind it. */
static bool cut_head(struct bytes *message, const char *head)
{
    size_t n = strlen(head);
    if (!text_starts_with(*message, head) ||
        (message->size > n && message->data[n] != ','))
        return false;
    size_t skip = message->size > n ? n + 1 : n;
    *message = bytes_of(message->data + skip, message->size - skip);
    return true;
}

bool push_options_add(struct push_options *o, struct bytes message,
                      const struct config *config, push_report *report,
                      void *context)
{
    const struct source s = {
        .pushed = true, .report = report, .context = context};
    bool updating = cut_head(&message, "PUSH_UPDATE");
    if (!updating && !cut_head(&message, "PUSH_REPLY"))
        return false;

    /* The last message of the series before this one said less than 2. */
    if (o->continuation != 2)
        o->replaced = 0;
    o->updating = updating;
    o->continuation = 0;
    struct bytes rest = message, text;
    while (text_cut(&rest, ',', &text))
        add_option(o, text, config, &s);
    return true;
}

bool push_options_finish(struct push_options *o, const char **why)
{
    struct tunnel tunnel = {.mtu = o->tun_mtu, .mss_mtu = o->tun_mtu};
    if (!push_route_finish(&o->route, &tunnel, why))
        return false;
    push_dns_finish(&o->dns, &tunnel);
    o->tunnel = tunnel;
    return true;
}

bool push_options_compress(const char *word, enum config_compression *out)
{
    static const struct {
        const char *word;
        enum config_compression framing;
    } framings[] = {
        {"stub", CONFIG_COMPRESSION_STUB},
        {"stub-v2", CONFIG_COMPRESSION_STUB_V2},
        {"lzo", CONFIG_COMPRESSION_LZO},
        {"lz4", CONFIG_COMPRESSION_STUB},
        {"lz4-v2", CONFIG_COMPRESSION_STUB_V2},
        {"migrate", CONFIG_COMPRESSION_NONE},
    };
    if (!word) {
        *out = CONFIG_COMPRESSION_STUB;
        return true;
    }
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        if (!strcmp(word, framings[i].word)) {
            *out = framings[i].framing;
            return true;
        }
    }
    return false;
}
