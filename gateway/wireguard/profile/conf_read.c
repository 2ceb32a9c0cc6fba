#include "gateway/wireguard/profile/conf_read.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/crypto/noise/x25519.h"
#include "gateway/wireguard/profile/conf_check.h"
#include "gateway/wireguard/profile/conf_key.h"
#include "gateway/wireguard/profile/conf_line.h"
#include "gateway/wireguard/profile/conf_names.h"
#include "gateway/wireguard/profile/conf_value.h"

enum { TEXT_SIZE = 768 };

/* A file while it is read. */
struct reading {
    const struct protocol_reader *reader;
    struct wireguard_profile *profile;
    struct wireguard_profile_peer *peer; /* or NULL: in no [Peer] */
    bool in_interface, in_other;         /* OTHER: of a foreign program */
    bool failed;
    const struct conf_line *line;
    /* Said once. */
    bool search_told, address_told, junk_told, amnezia_told, semicolon_told;
    uint8_t own_public_key[WIRE_KEY_SIZE];
    unsigned own_public_line;
};

__attribute__((format(printf, 3, 4))) static void
say(struct reading *r, enum protocol_severity severity, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->failed = r->failed || severity == PROTOCOL_ERROR;
    r->reader->report(r->reader->context, severity,
                      r->line ? r->line->number : 0, text);
}

static bool is_base64(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* A key where none belongs, or a part of one. */
static bool looks_like_key(struct bytes text)
{
    enum { LONGEST_WORD = 19 }; /* PersistentKeepalive */
    size_t run = 0;
    for (size_t i = 0; i < text.size && run <= LONGEST_WORD; i++)
        run = is_base64(text.data[i]) ? run + 1 : 0;
    return run > LONGEST_WORD;
}

/* For a message: what may be a key is not told. */
static const char *shown(char out[LOG_QUOTE_SIZE], struct bytes text)
{
    return looks_like_key(text) ? "text that looks like a key"
                                : log_quote(out, text);
}

/* The key's name as the file has it. */
static const char *name_of(const struct reading *r, char out[LOG_QUOTE_SIZE])
{
    return shown(out, r->line->name);
}

/* It is not missed in the end, for this is said of it already. */
static void remember_refused(struct reading *r)
{
    uint32_t *names = r->peer ? &r->peer->refused : &r->profile->refused;
    *names |= UINT32_C(1) << conf_names_find(r->line->name);
}

static void refuse_value(struct reading *r, struct bytes value, const char *why)
{
    char name[LOG_QUOTE_SIZE], text[LOG_QUOTE_SIZE];
    say(r, PROTOCOL_ERROR, "%s = %s: %s", name_of(r, name), shown(text, value),
        why);
    remember_refused(r);
}

/* --- Keys ---------------------------------------------------------------- */

static void refuse_key(struct reading *r, const char *why)
{
    char name[LOG_QUOTE_SIZE];
    say(r, PROTOCOL_ERROR, "%s cannot be used: %s", name_of(r, name), why);
    remember_refused(r);
}

/* The value itself is never told. */
static bool read_key(struct reading *r, uint8_t out[WIRE_KEY_SIZE])
{
    const char *why = conf_key_read(r->line->value, out);
    if (why)
        refuse_key(r, why);
    return !why;
}

static bool is_zero(const uint8_t key[WIRE_KEY_SIZE])
{
    static const uint8_t zero[WIRE_KEY_SIZE];
    return !memcmp(key, zero, sizeof zero);
}

/* Any private key tells: with a point of small order all give the same. */
static bool is_nobodys(const uint8_t public_key[WIRE_KEY_SIZE])
{
    static const uint8_t any[WIRE_KEY_SIZE] = {8};
    uint8_t shared[WIRE_KEY_SIZE];
    return !x25519_shared(shared, any, public_key);
}

static void read_private_key(struct reading *r)
{
    struct wireguard_profile *p = r->profile;
    if (p->has_key)
        say(r, PROTOCOL_WARNING,
            "PrivateKey is here twice: the last one holds");
    if (!read_key(r, p->private_key))
        return;
    p->has_key = !is_zero(p->private_key);
    if (!p->has_key)
        refuse_key(r, "it is all zero, which stands for no key");
}

static void read_preshared_key(struct reading *r)
{
    if (read_key(r, r->peer->preshared))
        r->peer->has_preshared = !is_zero(r->peer->preshared);
}

/* --- Lists --------------------------------------------------------------- */

static void read_addresses(struct reading *r)
{
    struct bytes rest = r->line->value, item;
    struct prefix address;
    while (conf_line_item(&rest, &item)) {
        const char *why = conf_value_address(item, &address);
        if (why) {
            refuse_value(r, item, why);
            return;
        }
        struct prefix *own = address.address.family == ADDRESS_IPV4
                                 ? &r->profile->ipv4
                                 : &r->profile->ipv6;
        if (!own->address.family) {
            *own = address;
        } else if (!r->address_told &&
                   !address_equal(&own->address, &address.address)) {
            r->address_told = true;
            say(r, PROTOCOL_NOTE,
                "of several addresses of one family the first is used");
        }
    }
}

/* As wg-quick tells them from search domains. */
static bool is_address(struct bytes item)
{
    if (memchr(item.data, ':', item.size))
        return true;
    for (size_t i = 0; i < item.size; i++)
        if (!memchr("0123456789.", item.data[i], 11))
            return false;
    return true;
}

static void read_resolvers(struct reading *r)
{
    struct wireguard_profile *p = r->profile;
    struct bytes rest = r->line->value, item;
    struct address address;
    while (conf_line_item(&rest, &item)) {
        if (!is_address(item)) {
            if (!r->search_told)
                say(r, PROTOCOL_NOTE,
                    "search domains in DNS are not used: qubes have their own");
            r->search_told = true;
        } else if (!address_parse(item, &address)) {
            refuse_value(r, item, "it is no IPv4 or IPv6 address");
            return;
        } else if (p->resolver_count == TUNNEL_RESOLVERS_MAX) {
            say(r, PROTOCOL_WARNING,
                "of the resolvers in DNS the first %u are "
                "used",
                TUNNEL_RESOLVERS_MAX);
            return;
        } else {
            p->resolvers[p->resolver_count++] = address;
        }
    }
}

static void read_networks(struct reading *r)
{
    struct wireguard_profile *p = r->profile;
    struct bytes rest = r->line->value, item;
    struct prefix network;
    bool cut, told = false;
    char name[LOG_QUOTE_SIZE];
    while (conf_line_item(&rest, &item)) {
        const char *why = conf_value_network(item, &network, &cut);
        if (why) {
            refuse_value(r, item, why);
            return;
        }
        if (cut && !told) {
            told = true;
            say(r, PROTOCOL_NOTE,
                "%s has bits behind its prefix: the whole network is meant",
                shown(name, item));
        }
        if (p->network_count == WIREGUARD_PROFILE_NETWORKS_MAX) {
            say(r, PROTOCOL_ERROR,
                "AllowedIPs has more than %u networks: that many cannot be "
                "held. Larger networks, or 0.0.0.0/0, say the same with fewer",
                WIREGUARD_PROFILE_NETWORKS_MAX);
            return;
        }
        p->networks[p->network_count++] = (struct wireguard_profile_network){
            network, (uint16_t)(r->peer - p->peers)};
    }
}

/* --- Single values ------------------------------------------------------- */

static void read_endpoint(struct reading *r)
{
    char memory[CONF_VALUE_HOST_SIZE + 16];
    struct bytes value =
        conf_line_without_blanks(r->line->value, memory, sizeof memory);
    const char *why = conf_value_endpoint(value, r->peer->host, &r->peer->port);
    if (why)
        refuse_value(r, value, why);
}

static void read_mtu(struct reading *r)
{
    const char *why = conf_value_mtu(r->line->value, &r->profile->mtu);
    if (why)
        refuse_value(r, r->line->value, why);
}

static void read_keepalive(struct reading *r)
{
    const char *why = conf_value_keepalive(r->line->value, &r->peer->keepalive);
    if (why)
        refuse_value(r, r->line->value, why);
}

static void read_listen_port(struct reading *r)
{
    uint32_t port;
    if (!text_to_u32(r->line->value, UINT16_MAX, &port)) {
        refuse_value(r, r->line->value, "it is a number from 0 to 65535");
        return;
    }
    r->profile->listen_port = (uint16_t)port;
    say(r, PROTOCOL_NOTE,
        "ListenPort is not used: the gateway is spoken to from a port of the "
        "system's choice");
}

/* --- What is another program's ------------------------------------------- */

static void refuse_amnezia(struct reading *r)
{
    char name[LOG_QUOTE_SIZE];
    if (!r->amnezia_told)
        say(r, PROTOCOL_ERROR,
            "%s: this server speaks AmneziaWG, not WireGuard, and the two do "
            "not understand each other. The provider may have a file for "
            "plain WireGuard, or for OpenVPN",
            name_of(r, name));
    r->amnezia_told = true;
}

static void read_amnezia(struct reading *r, enum conf_name name)
{
    bool plain =
        name == CONF_NAME_JUNK ||
        (name == CONF_NAME_PADDING && text_equal(r->line->value, "0")) ||
        (name == CONF_NAME_HEADER &&
         conf_names_plain_header(r->line->name, r->line->value));
    if (!plain) {
        refuse_amnezia(r);
    } else if (!r->junk_told) {
        r->junk_told = true;
        say(r, PROTOCOL_WARNING,
            "AmneziaWG's junk before handshakes is not sent. The server does "
            "not need it, but a firewall that knows WireGuard may close");
    }
}

static void read_unknown(struct reading *r)
{
    char name[LOG_QUOTE_SIZE];
    const char *nearest = conf_names_nearest(r->line->name);
    if (nearest)
        say(r, PROTOCOL_WARNING, "%s is not known: is %s meant?",
            name_of(r, name), nearest);
    else
        say(r, PROTOCOL_WARNING, "%s is not known, and is not used",
            name_of(r, name));
}

/* --- Lines --------------------------------------------------------------- */

/* Providers' tools write `Key =` where they mean that there is none. */
static bool is_absent(struct reading *r, enum conf_name name)
{
    char text[LOG_QUOTE_SIZE];
    if (r->line->value.size > 0 || name == CONF_NAME_UNKNOWN)
        return false;
    if (name != CONF_NAME_PRIVATE_KEY && name != CONF_NAME_PUBLIC_KEY) {
        say(r, PROTOCOL_NOTE, "%s is empty, and counts as absent",
            name_of(r, text));
        return true;
    }
    return false;
}

static bool belongs_to_peer(enum conf_name name)
{
    return name == CONF_NAME_PRESHARED_KEY || name == CONF_NAME_ENDPOINT ||
           name == CONF_NAME_ALLOWED_IPS || name == CONF_NAME_KEEPALIVE;
}

static bool belongs_to_interface(enum conf_name name)
{
    return name == CONF_NAME_PRIVATE_KEY || name == CONF_NAME_ADDRESS ||
           name == CONF_NAME_DNS || name == CONF_NAME_MTU ||
           name == CONF_NAME_LISTEN_PORT;
}

static bool is_in_place(struct reading *r, enum conf_name name)
{
    char text[LOG_QUOTE_SIZE];
    if (!r->in_interface && !r->peer) {
        say(r, PROTOCOL_ERROR,
            "%s stands in no section: [Interface] or [Peer] comes first",
            name_of(r, text));
        return false;
    }
    if ((belongs_to_peer(name) && !r->peer) ||
        (belongs_to_interface(name) && !r->in_interface)) {
        say(r, PROTOCOL_ERROR, "%s belongs into [%s]", name_of(r, text),
            belongs_to_peer(name) ? "Peer" : "Interface");
        return false;
    }
    return true;
}

static void read_peer_key(struct reading *r)
{
    struct wireguard_profile_peer *peer = r->peer;
    if (!read_key(r, peer->public_key))
        return;
    peer->has_key = !is_nobodys(peer->public_key);
    if (!peer->has_key)
        refuse_key(r, "no private key gives it, so no server has it");
}

static void read_public_key(struct reading *r)
{
    if (r->peer) {
        read_peer_key(r);
    } else if (read_key(r, r->own_public_key)) {
        /* People note their own; it is compared when both are known. */
        r->own_public_line = r->line->number;
    }
}

static void read_value(struct reading *r)
{
    enum conf_name name = conf_names_find(r->line->name);
    char text[LOG_QUOTE_SIZE];
    if (r->in_other || !is_in_place(r, name) || is_absent(r, name))
        return;
    switch (name) {
    case CONF_NAME_PRIVATE_KEY:
        read_private_key(r);
        break;
    case CONF_NAME_ADDRESS:
        read_addresses(r);
        break;
    case CONF_NAME_DNS:
        read_resolvers(r);
        break;
    case CONF_NAME_MTU:
        read_mtu(r);
        break;
    case CONF_NAME_LISTEN_PORT:
        read_listen_port(r);
        break;
    case CONF_NAME_IGNORED:
        say(r, PROTOCOL_NOTE, "%s means nothing here: %s", name_of(r, text),
            conf_names_ignored(r->line->name));
        break;
    case CONF_NAME_HOOK:
        say(r, PROTOCOL_NOTE, "%s: %s", name_of(r, text),
            conf_names_hook(r->line->whole));
        break;
    case CONF_NAME_JUNK:
    case CONF_NAME_PADDING:
    case CONF_NAME_HEADER:
    case CONF_NAME_MAGIC:
        read_amnezia(r, name);
        break;
    case CONF_NAME_PUBLIC_KEY:
        read_public_key(r);
        break;
    case CONF_NAME_PRESHARED_KEY:
        read_preshared_key(r);
        break;
    case CONF_NAME_ENDPOINT:
        read_endpoint(r);
        break;
    case CONF_NAME_ALLOWED_IPS:
        read_networks(r);
        break;
    case CONF_NAME_KEEPALIVE:
        read_keepalive(r);
        break;
    case CONF_NAME_UNKNOWN:
        read_unknown(r);
        break;
    }
}

static void read_section(struct reading *r)
{
    struct wireguard_profile *p = r->profile;
    char memory[16], name[LOG_QUOTE_SIZE];
    struct bytes section =
        conf_line_without_blanks(r->line->name, memory, sizeof memory);
    r->peer = NULL;
    r->in_other = false;
    r->in_interface = text_equal_ignoring_case(section, "Interface");
    if (r->in_interface)
        return;
    if (!text_equal_ignoring_case(section, "Peer")) {
        r->in_other = true;
        say(r, PROTOCOL_ERROR, "[%s]: %s", name_of(r, name),
            conf_names_section(section));
    } else if (p->peer_count == WIREGUARD_PROFILE_PEERS_MAX) {
        r->in_other = true;
        say(r, PROTOCOL_ERROR, "there are more than %u peers",
            WIREGUARD_PROFILE_PEERS_MAX);
    } else {
        r->peer = &p->peers[p->peer_count++];
        r->peer->line = r->line->number;
    }
}

/* A provider's remark that a person wants to know of. */
static void read_comment(struct reading *r)
{
    struct bytes comment = r->line->comment;
    if (!text_starts_with(comment, "NAT-PMP"))
        return;
    bool on =
        comment.size >= 2 && !memcmp(comment.data + comment.size - 2, "on", 2);
    say(r, PROTOCOL_NOTE,
        on ? "the server forwards a port to whoever asks for it by NAT-PMP: "
             "the gateway does not ask, a qube can"
           : "port forwarding was off when this file was made: another file "
             "of the provider is needed for it");
}

static void read_line(struct reading *r)
{
    char text[LOG_QUOTE_SIZE];
    if (r->line->semicolon && !r->semicolon_told) {
        r->semicolon_told = true;
        say(r, PROTOCOL_NOTE,
            "a line that begins with `;' is taken for a "
            "comment; wg-quick takes `#' alone");
    }
    read_comment(r);
    switch (r->line->kind) {
    case CONF_LINE_EMPTY:
        break;
    case CONF_LINE_SECTION:
        read_section(r);
        break;
    case CONF_LINE_VALUE:
        read_value(r);
        break;
    case CONF_LINE_OTHER:
        if (!r->in_other)
            say(r, PROTOCOL_ERROR,
                "%s is no line of WireGuard: `Key = value' is one",
                name_of(r, text));
        break;
    }
}

static void check_own_public_key(struct reading *r)
{
    uint8_t public_key[WIRE_KEY_SIZE];
    if (!r->own_public_line || !r->profile->has_key)
        return;
    x25519_public(public_key, r->profile->private_key);
    if (memcmp(public_key, r->own_public_key, WIRE_KEY_SIZE))
        say(r, PROTOCOL_ERROR,
            "the PublicKey in [Interface] (line %u) is not the one of "
            "PrivateKey: one of the two is wrong, or it belongs into [Peer]",
            r->own_public_line);
}

bool conf_read(struct wireguard_profile *p, struct bytes text,
               const struct protocol_reader *reader)
{
    struct conf_line_reader lines = conf_line_reader_of(text);
    struct reading r = {.reader = reader, .profile = p};
    struct conf_line line;
    while (conf_line_next(&lines, &line)) {
        r.line = &line;
        read_line(&r);
    }
    r.line = NULL;
    check_own_public_key(&r);
    bool good = conf_check(p, reader);
    return good && !r.failed;
}
