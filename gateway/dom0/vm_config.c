#include "gateway/dom0/vm_config.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/base/text.h"

/* A value out of text into `v`. False with a reason; `v` is spoilt then. */
typedef bool parse_value(struct vm_config_values *v, struct bytes text,
                         const char **why);

static bool plain(uint8_t c)
{
    return c > 0x20 && c < 0x7f;
}

static bool all_plain(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!plain(text.data[i]))
            return false;
    }
    return true;
}

/* The next of words that have one or more blanks between them. */
static bool next_word(struct bytes *rest, struct bytes *word)
{
    while (text_cut(rest, ' ', word)) {
        if (word->size)
            return true;
    }
    return false;
}

/* A name in one directory or below, and nothing that leads out of it. */
static bool is_below(struct bytes name)
{
    struct bytes part;
    bool below = name.data[name.size - 1] != '/';
    while (below && text_cut(&name, '/', &part))
        below = part.size > 0 && part.data[0] != '.';
    return below;
}

static bool parse_profile(struct vm_config_values *v, struct bytes text,
                          const char **why)
{
    struct bytes word;
    v->profile_count = 0;
    while (next_word(&text, &word)) {
        if (v->profile_count == VM_CONFIG_PROFILES_MAX) {
            *why = "these are too many profiles";
            return false;
        }
        if (!is_below(word) || !all_plain(word) ||
            !text_copy(v->profiles[v->profile_count], VM_CONFIG_FILE_SIZE,
                       word)) {
            *why = "a profile is the name of a file in the directory of "
                   "profiles, or in one below it: work.ovpn, "
                   "provider/work.ovpn";
            return false;
        }
        v->profile_count++;
    }
    return true;
}

static bool host_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool parse_host(struct bytes text, char out[PROTOCOL_HOST_SIZE])
{
    struct address a;
    if (text.size == 0 || text.data[0] == '-' ||
        !text_copy(out, PROTOCOL_HOST_SIZE, text))
        return false;
    if (address_parse(text, &a))
        return true;
    for (size_t i = 0; i < text.size; i++) {
        if (!host_character(text.data[i]))
            return false;
    }
    return true;
}

static bool parse_port(struct bytes text, uint16_t *port)
{
    uint32_t number;
    if (!text_to_u32(text, UINT16_MAX, &number) || number == 0)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* HOST[:PORT] or an IPv6 address alone or [ADDRESS]:PORT */
static bool parse_server(struct bytes text, struct protocol_overlay_server *out)
{
    struct address a;
    struct bytes host = text, port = {NULL, 0};

    if (text.size && text.data[0] == '[') {
        const uint8_t *end = memchr(text.data, ']', text.size);
        if (!end)
            return false;
        host = bytes_of(text.data + 1, (size_t)(end - text.data) - 1);
        port = bytes_of(end + 1, text.size - host.size - 2);
        if (!address_parse(host, &a) || a.family != ADDRESS_IPV6 ||
            (port.size && port.data[0] != ':'))
            return false;
        port = port.size ? bytes_of(port.data + 1, port.size - 1)
                         : bytes_of(NULL, 0);
    } else if (!address_parse(text, &a)) {
        port = text;
        if (!text_cut(&port, ':', &host))
            return false;
    }
    return parse_host(host, out->host) &&
           (!port.data || parse_port(port, &out->port));
}

static bool parse_transport(struct bytes text, enum protocol_transport *out)
{
    if (text_equal(text, "udp"))
        *out = PROTOCOL_UDP;
    else if (text_equal(text, "tcp"))
        *out = PROTOCOL_TCP;
    else
        return false;
    return true;
}

static bool parse_remote(struct vm_config_values *v, struct bytes text,
                         const char **why)
{
    struct bytes word, server;
    struct protocol_overlay *o = &v->overlay;
    o->server_count = 0;
    while (next_word(&text, &word)) {
        if (o->server_count == PROTOCOL_SERVERS_MAX) {
            *why = "these are too many servers";
            return false;
        }
        struct protocol_overlay_server *s = &o->servers[o->server_count++];
        *s = (struct protocol_overlay_server){0};
        if (!text_cut(&word, '/', &server) || !parse_server(server, s) ||
            (word.data && !parse_transport(word, &s->transport))) {
            *why = "a server is HOST[:PORT][/udp|/tcp]";
            return false;
        }
    }
    return true;
}

static bool parse_proxy(struct vm_config_values *v, struct bytes text,
                        const char **why)
{
    static const struct {
        const char *scheme;
        enum protocol_proxy_kind kind;
    } schemes[] = {
        {"http://", PROTOCOL_PROXY_HTTP},
        {"socks5://", PROTOCOL_PROXY_SOCKS},
    };
    struct protocol_overlay *o = &v->overlay;
    *why = "a proxy is http://HOST:PORT or socks5://HOST:PORT";
    o->proxy_server = (struct protocol_overlay_server){0};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i].scheme);
        if (text_starts_with(text, schemes[i].scheme)) {
            o->proxy = schemes[i].kind;
            return parse_server(bytes_of(text.data + size, text.size - size),
                                &o->proxy_server) &&
                   o->proxy_server.port != 0;
        }
    }
    return false;
}

static bool parse_username(struct vm_config_values *v, struct bytes text,
                           const char **why)
{
    *why = "a user name has at most 255 characters, all of them printable";
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    }
    return text_copy(v->overlay.username, sizeof v->overlay.username, text);
}

static bool parse_dns(struct vm_config_values *v, struct bytes text,
                      const char **why)
{
    struct bytes word;
    v->resolver_count = 0;
    v->resolvers_pushed = text_equal(text, "pushed");
    while (!v->resolvers_pushed && next_word(&text, &word)) {
        if (v->resolver_count == TUNNEL_RESOLVERS_MAX) {
            *why = "these are too many resolvers";
            return false;
        }
        if (!address_parse(word, &v->resolvers[v->resolver_count++])) {
            *why = "a resolver is an IPv4 or IPv6 address, or all are `pushed'";
            return false;
        }
    }
    return true;
}

static bool parse_mtu(struct vm_config_values *v, struct bytes text,
                      const char **why)
{
    uint32_t mtu;
    if (!text_to_u32(text, VM_CONFIG_MTU_MAX, &mtu) ||
        mtu < VM_CONFIG_MTU_MIN) {
        *why = "an MTU is a number from 576 to 9000";
        return false;
    }
    v->mtu = (uint16_t)mtu;
    return true;
}

static bool parse_ipv6(struct vm_config_values *v, struct bytes text,
                       const char **why)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    static const char *const no[] = {"", "0", "off", "no", "false"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (text_equal_ignoring_case(text, yes[i])) {
            v->ipv6 = true;
            return true;
        }
    }
    v->ipv6 = false;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (text_equal_ignoring_case(text, no[i]))
            return true;
    }
    *why = "it is on or off";
    return false;
}

static bool parse_log_level(struct vm_config_values *v, struct bytes text,
                            const char **why)
{
    *why = "a level is error, warn, info or debug";
    return log_level_of(text, &v->log_level);
}

static const struct {
    const char *name;
    const char *form;
    parse_value *parse;
    bool empty_is_a_value;
} keys[] = {
    [VM_CONFIG_PROFILE] = {"vpn-profile", "FILE...", parse_profile, false},
    [VM_CONFIG_REMOTE] = {"vpn-remote", "HOST[:PORT][/udp|/tcp]...",
                          parse_remote, false},
    [VM_CONFIG_PROXY] = {"vpn-proxy", "http://HOST:PORT | socks5://HOST:PORT",
                         parse_proxy, false},
    [VM_CONFIG_USERNAME] = {"vpn-username", "NAME", parse_username, false},
    [VM_CONFIG_DNS] = {"vpn-dns", "pushed | ADDRESS...", parse_dns, false},
    [VM_CONFIG_MTU] = {"vpn-mtu", "576 to 9000", parse_mtu, false},
    [VM_CONFIG_IPV6] = {"vpn-ipv6", "on | off", parse_ipv6, true},
    [VM_CONFIG_LOG_LEVEL] = {"vpn-log-level", "error | warn | info | debug",
                             parse_log_level, false},
};
static_assert(sizeof keys / sizeof *keys == VM_CONFIG_KEY_COUNT,
              "every key has a name");

const char *vm_config_name(enum vm_config_key key)
{
    return keys[key].name;
}

const char *vm_config_form(enum vm_config_key key)
{
    return keys[key].form;
}

enum vm_config_key vm_config_key_of(const char *name)
{
    for (unsigned i = 0; i < VM_CONFIG_KEY_COUNT; i++) {
        if (!strcmp(keys[i].name, name))
            return (enum vm_config_key)i;
    }
    return VM_CONFIG_KEY_COUNT;
}

bool vm_config_in_force(const struct vm_config *c, enum vm_config_key key)
{
    return c->states[key] == VM_CONFIG_SET || c->states[key] == VM_CONFIG_KEPT;
}

/* True if that changes what the setting means. */
static bool refuse(struct vm_config *c, enum vm_config_key key, const char *why)
{
    enum vm_config_state before = c->states[key];
    snprintf(c->why[key], sizeof c->why[key], "vm-config.%s: %s",
             keys[key].name, why);
    c->states[key] =
        vm_config_in_force(c, key) ? VM_CONFIG_KEPT : VM_CONFIG_WRONG;
    return before == VM_CONFIG_UNSET;
}

bool vm_config_set(struct vm_config *c, enum vm_config_key key,
                   struct bytes value)
{
    struct vm_config_values values = c->values;
    char text[VM_CONFIG_TEXT_SIZE];
    const char *why = "it is too long";

    value = text_trim(value);
    if (value.size == 0 && !keys[key].empty_is_a_value)
        return vm_config_unset(c, key);
    if (!text_copy(text, sizeof text, value) ||
        !keys[key].parse(&values, value, &why))
        return refuse(c, key, why);

    bool same = vm_config_in_force(c, key) && !strcmp(c->texts[key], text);
    c->values = values;
    c->states[key] = VM_CONFIG_SET;
    c->why[key][0] = '\0';
    memcpy(c->texts[key], text, sizeof text);
    return !same;
}

bool vm_config_unset(struct vm_config *c, enum vm_config_key key)
{
    bool changed = c->states[key] != VM_CONFIG_UNSET;
    c->states[key] = VM_CONFIG_UNSET;
    c->why[key][0] = '\0';
    c->texts[key][0] = '\0';
    return changed;
}

const char *vm_config_obstacle(const struct vm_config *c)
{
    static const enum vm_config_key deciding[] = {
        VM_CONFIG_PROFILE, VM_CONFIG_REMOTE, VM_CONFIG_PROXY};
    for (size_t i = 0; i < sizeof deciding / sizeof *deciding; i++) {
        if (c->states[deciding[i]] == VM_CONFIG_WRONG)
            return c->why[deciding[i]];
    }
    return NULL;
}

/* --- Over a profile ------------------------------------------------------ */

struct protocol_overlay vm_config_overlay(const struct vm_config *c)
{
    struct protocol_overlay overlay = c->values.overlay;
    if (!vm_config_in_force(c, VM_CONFIG_REMOTE))
        overlay.server_count = 0;
    if (!vm_config_in_force(c, VM_CONFIG_PROXY))
        overlay.proxy = PROTOCOL_PROXY_NONE;
    if (!vm_config_in_force(c, VM_CONFIG_USERNAME))
        overlay.username[0] = '\0';
    return overlay;
}

/* --- Over a tunnel ------------------------------------------------------- */

void vm_config_limit(const struct vm_config *c, struct tunnel *tunnel)
{
    const struct vm_config_values *v = &c->values;

    if (c->states[VM_CONFIG_DNS] == VM_CONFIG_WRONG) {
        tunnel->resolver_count = 0;
    } else if (vm_config_in_force(c, VM_CONFIG_DNS) && !v->resolvers_pushed) {
        tunnel->resolver_count = (uint16_t)v->resolver_count;
        memcpy(tunnel->resolvers, v->resolvers, sizeof v->resolvers);
    }
    if (vm_config_in_force(c, VM_CONFIG_MTU)) {
        if (tunnel->mtu > v->mtu)
            tunnel->mtu = v->mtu;
        if (tunnel->mss_mtu > v->mtu)
            tunnel->mss_mtu = v->mtu;
    }
    if (c->states[VM_CONFIG_IPV6] == VM_CONFIG_WRONG ||
        (vm_config_in_force(c, VM_CONFIG_IPV6) && !v->ipv6)) {
        tunnel->ipv6 = (struct prefix){0};
        tunnel->redirect_ipv6 = false;
        tunnel->block_ipv6 = true;
    }
}
