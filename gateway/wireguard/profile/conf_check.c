#include "gateway/wireguard/profile/conf_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/crypto/noise/x25519.h"
#include "gateway/wireguard/profile/conf_names.h"

enum { TEXT_SIZE = 512 };

struct check {
    const struct protocol_reader *reader;
    struct wireguard_profile *profile;
    bool failed;
};

__attribute__((format(printf, 4, 5))) static void
say(struct check *c, enum protocol_severity severity, unsigned line,
    const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    c->failed = c->failed || severity == PROTOCOL_ERROR;
    c->reader->report(c->reader->context, severity, line, text);
}

static bool was_refused(uint32_t names, enum conf_name name)
{
    return names >> name & 1;
}

/* In any [Peer]. */
static bool peers_refused(const struct wireguard_profile *p,
                          enum conf_name name)
{
    for (uint16_t i = 0; i < p->peer_count; i++)
        if (was_refused(p->peers[i].refused, name))
            return true;
    return false;
}

static bool has_networks(const struct wireguard_profile *p, uint16_t peer)
{
    for (uint16_t i = 0; i < p->network_count; i++)
        if (p->networks[i].peer == peer)
            return true;
    return false;
}

static void check_interface(struct check *c)
{
    const struct wireguard_profile *p = c->profile;
    if (!p->has_key && !was_refused(p->refused, CONF_NAME_PRIVATE_KEY))
        say(c, PROTOCOL_ERROR, 0,
            "[Interface] has no PrivateKey: without it no server knows us. It "
            "is in the provider's file, or `vpn-gateway genkey wireguard' "
            "makes one, whose public half the server has to be told");
    if (!p->ipv4.address.family && !p->ipv6.address.family &&
        !was_refused(p->refused, CONF_NAME_ADDRESS))
        say(c, PROTOCOL_ERROR, 0,
            "[Interface] has no Address: WireGuard hands no addresses out, so "
            "ours has to stand here");
}

static void check_peer(struct check *c, const uint8_t own[WIRE_KEY_SIZE],
                       uint16_t number)
{
    const struct wireguard_profile *p = c->profile;
    const struct wireguard_profile_peer *peer = &p->peers[number];
    if (!peer->has_key) {
        if (!was_refused(peer->refused, CONF_NAME_PUBLIC_KEY))
            say(c, PROTOCOL_ERROR, peer->line, "this [Peer] has no PublicKey");
        return;
    }
    if (p->has_key && !memcmp(peer->public_key, own, WIRE_KEY_SIZE))
        say(c, PROTOCOL_ERROR, peer->line,
            "this peer's PublicKey belongs to our PrivateKey: one of the two "
            "stands in the wrong place");
    for (uint16_t i = 0; i < number; i++)
        if (p->peers[i].has_key &&
            !memcmp(p->peers[i].public_key, peer->public_key, WIRE_KEY_SIZE))
            say(c, PROTOCOL_ERROR, peer->line,
                "this peer has the PublicKey of the one in line %u: a peer "
                "stands in a file once, with all of its AllowedIPs",
                p->peers[i].line);
    if (!has_networks(p, number) &&
        !was_refused(peer->refused, CONF_NAME_ALLOWED_IPS))
        say(c, PROTOCOL_WARNING, peer->line,
            "this peer has no AllowedIPs: nothing is sent to it, and nothing "
            "is taken from it");
}

/* The one that takes all, or else the first that can be connected to. */
static bool find_main(struct wireguard_profile *p)
{
    bool found = false;
    for (uint16_t i = 0; i < p->network_count; i++) {
        uint16_t peer = p->networks[i].peer;
        if (p->networks[i].prefix.bits <= 1 && p->peers[peer].host[0]) {
            p->main = peer;
            return true;
        }
    }
    for (uint16_t i = 0; i < p->peer_count && !found; i++)
        if (p->peers[i].host[0]) {
            p->main = i;
            found = true;
        }
    return found;
}

static void check_who_speaks_first(struct check *c)
{
    const struct wireguard_profile *p = c->profile;
    for (uint16_t i = 0; i < p->peer_count; i++)
        if (!p->peers[i].host[0] &&
            !was_refused(p->peers[i].refused, CONF_NAME_ENDPOINT))
            say(c, PROTOCOL_NOTE, p->peers[i].line,
                "this peer has no Endpoint: it is reached once it has spoken "
                "to us");
}

static void check_peers(struct check *c)
{
    struct wireguard_profile *p = c->profile;
    uint8_t own[WIRE_KEY_SIZE];
    if (p->has_key)
        x25519_public(own, p->private_key);
    for (uint16_t i = 0; i < p->peer_count; i++)
        check_peer(c, own, i);
    if (p->peer_count == 0)
        say(c, PROTOCOL_ERROR, 0, "there is no [Peer]: nobody to connect to");
    else if (find_main(p))
        check_who_speaks_first(c);
    else if (!peers_refused(p, CONF_NAME_ENDPOINT))
        say(c, PROTOCOL_ERROR, p->peers[0].line,
            "no [Peer] has an Endpoint, so there is nothing to connect to%s",
            p->listen_port ? ": with its ListenPort this looks like a "
                             "server's file, and the client's is wanted"
                           : "");
}

static void check_family(struct check *c, enum address_family family,
                         const struct prefix *own, const char *name)
{
    bool wanted = false;
    if (was_refused(c->profile->refused, CONF_NAME_ADDRESS) ||
        peers_refused(c->profile, CONF_NAME_ALLOWED_IPS))
        return;
    for (uint16_t i = 0; i < c->profile->network_count; i++)
        wanted =
            wanted || c->profile->networks[i].prefix.address.family == family;
    bool has = own->address.family == family;
    if (wanted && !has)
        say(c, PROTOCOL_WARNING, 0,
            "AllowedIPs has networks of %s, and Address has none: %s of the "
            "qubes is refused",
            name, name);
    else if (has && !wanted)
        say(c, PROTOCOL_NOTE, 0,
            "AllowedIPs has no network of %s: %s of the qubes is refused, and "
            "does not leave in clear",
            name, name);
}

static void check_resolvers(struct check *c)
{
    const struct wireguard_profile *p = c->profile;
    char text[ADDRESS_TEXT_SIZE];
    if (was_refused(p->refused, CONF_NAME_DNS) ||
        peers_refused(p, CONF_NAME_ALLOWED_IPS))
        return;
    if (p->resolver_count == 0)
        say(c, PROTOCOL_WARNING, 0,
            "there is no DNS: the qubes cannot look names up, unless "
            "vm-config.vpn-dns names resolvers");
    for (uint16_t i = 0; i < p->resolver_count; i++)
        if (!wireguard_profile_takes(p, &p->resolvers[i]))
            say(c, PROTOCOL_WARNING, 0,
                "the resolver %s is in no AllowedIPs, so questions do not "
                "reach it: add it there, or set vm-config.vpn-dns",
                address_format(&p->resolvers[i], text));
}

bool conf_check(struct wireguard_profile *p,
                const struct protocol_reader *reader)
{
    struct check c = {.reader = reader, .profile = p};
    check_interface(&c);
    check_peers(&c);
    check_family(&c, ADDRESS_IPV4, &p->ipv4, "IPv4");
    check_family(&c, ADDRESS_IPV6, &p->ipv6, "IPv6");
    check_resolvers(&c);
    if (p->mtu && p->mtu < TUNNEL_IPV6_LEAST && p->ipv6.address.family)
        say(&c, PROTOCOL_WARNING, 0,
            "an MTU of %u is too small for IPv6, which needs 1280: large "
            "packets of IPv6 will not pass",
            p->mtu);
    return !c.failed;
}
