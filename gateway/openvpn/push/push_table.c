#include "gateway/openvpn/push/push_table.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/data/data_channel.h"
#include "gateway/openvpn/keys/cipher_names.h"

enum {
    DAY = 86400,
    LEAST_MTU = 100,
    MOST_MTU = 1600, /* what IV_MTU promises */
};

void push_table_tell(const struct push_source *s, const char *format, ...)
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

/* --- One function for each option; false if it is malformed -------------- */

#define OPTION(verb)                                                           \
    static bool verb(struct push_options *o, const struct config_tokens *t,    \
                     const struct push_source *s)

/* Options that push_route.h and push_dns.h understand. */
#define ROUTE_OPTION(verb, function)                                           \
    OPTION(verb)                                                               \
    {                                                                          \
        const char *note = NULL;                                               \
        bool good = function(&o->route, t, &note);                             \
        if (note)                                                              \
            push_table_tell(s, "%s", note);                                    \
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
        push_table_tell(s, "%s", note);
    return good;
}

OPTION(dns)
{
    const char *note = NULL;
    bool good = push_dns_add(&o->dns, t, s->pushed, &note);
    if (note)
        push_table_tell(s, "%s", note);
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
            push_table_tell(
                s,
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
    char quoted[LOG_QUOTE_SIZE];
    push_table_tell(s,
                    "the server derives keys by `%s', which is not known "
                    "here; the way that was agreed on else is tried",
                    log_quote(quoted, bytes_of_text(t->token[1])));
    return true;
}

/* Takes the framing, or the reply is refused: packets would vanish. */
static void set_framing(struct push_options *o, const struct push_source *s,
                        const char *option, enum config_compression framing,
                        bool compresses)
{
    if (compresses && o->compression_refused) {
        o->rejected = true;
        push_table_tell(s,
                        "the server compresses (`%s'), and the profile's "
                        "`allow-compression no' forbids to read that",
                        option);
        return;
    }
    o->compression = framing;
    o->compression_set = true;
}

OPTION(compress)
{
    enum config_compression framing;
    const char *word = argument(t, 1);
    char quoted[LOG_QUOTE_SIZE];
    if (!config_compression_named(word, &framing)) {
        o->rejected = true;
        push_table_tell(s, "the server compresses by `%s', which is not known",
                        log_quote(quoted, bytes_of_text(word)));
        return true;
    }
    set_framing(o, s, "compress", framing, word && strncmp(word, "lz", 2) == 0);
    return true;
}

OPTION(comp_lzo)
{
    const char *word = argument(t, 1);
    bool compresses = !word || strcmp(word, "no") != 0;
    if (compresses && word && strcmp(word, "yes") != 0 &&
        strcmp(word, "adaptive") != 0)
        return false;
    set_framing(o, s, "comp-lzo", CONFIG_COMPRESSION_LZO, compresses);
    return true;
}

OPTION(ping)
{
    (void)s;
    return parse_number(t, 1, DAY, &o->ping);
}

/* And ping-exit, as in a profile. */
OPTION(ping_restart)
{
    (void)s;
    return parse_number(t, 1, DAY, &o->ping_restart);
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

/* --- The table ----------------------------------------------------------- */

enum {
    BOTH = PUSH_PUSHED | PUSH_PROFILE,
    MOST = 16, /* arguments */
};

static const struct push_table_option table[] = {
    {"ifconfig", 2, 2, BOTH | PUSH_UPDATES, PUSH_GROUP_NONE, ifconfig},
    {"ifconfig-ipv6", 1, 2, BOTH | PUSH_UPDATES, PUSH_GROUP_NONE,
     ifconfig_ipv6},
    {"topology", 1, 1, BOTH | PUSH_UPDATES, PUSH_GROUP_NONE, topology},
    {"route-gateway", 1, 1, BOTH | PUSH_UPDATES, PUSH_GROUP_NONE,
     route_gateway},
    {"route-metric", 1, 1, BOTH | PUSH_ROUTES | PUSH_UPDATES, PUSH_GROUP_NONE,
     route_metric},
    {"route", 1, 4, BOTH | PUSH_ROUTES | PUSH_UPDATES, PUSH_GROUP_ROUTE, route},
    {"route-ipv6", 1, 3, BOTH | PUSH_ROUTES | PUSH_UPDATES,
     PUSH_GROUP_ROUTE_IPV6, route_ipv6},
    {"redirect-gateway", 0, MOST, BOTH | PUSH_ROUTES | PUSH_UPDATES,
     PUSH_GROUP_REDIRECT, redirect},
    {"redirect-private", 0, MOST, BOTH | PUSH_ROUTES | PUSH_UPDATES,
     PUSH_GROUP_REDIRECT, redirect},
    {"block-ipv6", 0, 0, BOTH | PUSH_ROUTES | PUSH_UPDATES, PUSH_GROUP_NONE,
     block_ipv6},
    {"dhcp-option", 1, MOST, BOTH | PUSH_ROUTES | PUSH_UPDATES, PUSH_GROUP_DHCP,
     dhcp_option},
    {"dns", 2, MOST, BOTH | PUSH_ROUTES | PUSH_UPDATES, PUSH_GROUP_DNS, dns},
    {"block-outside-dns", 0, 0, PUSH_PUSHED | PUSH_ROUTES | PUSH_UPDATES,
     PUSH_GROUP_NONE, nothing},
    {"tun-mtu", 1, 2, PUSH_PUSHED | PUSH_UPDATES, PUSH_GROUP_NONE, tun_mtu},
    {"push-continuation", 1, 1, PUSH_PUSHED | PUSH_UPDATES, PUSH_GROUP_NONE,
     continuation},

    {"peer-id", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, peer_id},
    {"cipher", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, cipher},
    {"protocol-flags", 1, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, protocol_flags},
    {"key-derivation", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, key_derivation},
    {"compress", 0, 1, PUSH_PUSHED, PUSH_GROUP_NONE, compress},
    {"comp-lzo", 0, 1, PUSH_PUSHED, PUSH_GROUP_NONE, comp_lzo},
    {"auth-token", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, auth_token},
    {"auth-token-user", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, auth_token_user},

    {"ping", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, ping},
    {"ping-restart", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, ping_restart},
    {"ping-exit", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, ping_restart},
    {"inactive", 1, 2, PUSH_PUSHED, PUSH_GROUP_NONE, inactive},
    {"session-timeout", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, session_timeout},
    {"explicit-exit-notify", 0, 1, PUSH_PUSHED, PUSH_GROUP_NONE,
     explicit_exit_notify},

    /* Nothing is lost without them: a word about each would be noise. */
    {"keepalive", 2, 2, PUSH_PUSHED | PUSH_UPDATES, PUSH_GROUP_NONE, nothing},
    {"ping-timer-rem", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"persist-tun", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"persist-key", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"persist-local-ip", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"persist-remote-ip", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"sndbuf", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"rcvbuf", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"socket-flags", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"shaper", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"txqueuelen", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"verb", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"mute", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"lladdr", 1, 1, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"client-nat", 0, MOST, PUSH_PUSHED | PUSH_ROUTES, PUSH_GROUP_NONE,
     nothing},
    {"route-delay", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"route-method", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"max-routes", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"setenv-safe", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"echo", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"parameter", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"tun-ipv6", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"ip-win32", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"register-dns", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"dhcp-renew", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"dhcp-release", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"dhcp-pre-release", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"tap-sleep", 0, MOST, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
    {"show-net-up", 0, 0, PUSH_PUSHED, PUSH_GROUP_NONE, nothing},
};

const struct push_table_option *push_table_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

/* True if the option had its effect. */
bool push_table_apply(struct push_options *o,
                      const struct push_table_option *option,
                      const struct config_tokens *t,
                      const struct push_source *s)
{
    size_t arguments = t->count - 1;
    /* Values may be secret: only the name is told. */
    if (arguments < option->least || arguments > option->most ||
        !option->apply(o, t, s)) {
        if (s->pushed)
            push_table_tell(s, "the server's `%s' is malformed and ignored",
                            option->name);
        return false;
    }
    return true;
}

/* --- PUSH_UPDATE --------------------------------------------------------- */

void push_table_forget(struct push_options *o, enum push_group group)
{
    switch (group) {
    case PUSH_GROUP_ROUTE:
        push_route_clear(&o->route, ADDRESS_IPV4);
        break;
    case PUSH_GROUP_ROUTE_IPV6:
        push_route_clear(&o->route, ADDRESS_IPV6);
        break;
    case PUSH_GROUP_REDIRECT:
        o->route.redirect_ipv4 = o->route.redirect_ipv6 = false;
        break;
    case PUSH_GROUP_DNS:
        push_dns_clear_servers(&o->dns);
        break;
    case PUSH_GROUP_DHCP:
        push_dns_clear_dhcp(&o->dns);
        break;
    case PUSH_GROUP_NONE:
        break;
    }
}

void push_table_remove(struct push_options *o,
                       const struct push_table_option *option)
{
    if (option->group != PUSH_GROUP_NONE)
        push_table_forget(o, option->group);
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
