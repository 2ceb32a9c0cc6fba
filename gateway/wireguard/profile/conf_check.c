#include "gateway/wireguard/profile/conf_check.h"

#include "gateway/wireguard/handshake.h"

#include <stdarg.h>
#include <stdio.h>

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
    if (!p->has_key)
        say(c, PROTOCOL_ERROR, 0,
            "[Interface] has no PrivateKey: without it no server knows us. It "
            "is in the provider's file, or `vpn-gateway genkey wireguard' "
            "makes one, whose public half the server has to be told");
    if (!p->ipv4.address.family && !p->ipv6.address.family)
        say(c, PROTOCOL_ERROR, 0,
            "[Interface] has no Address: WireGuard hands no addresses out, so "
            "ours has to stand here");
}

static void check_peer(struct check *c, const struct identity *us,
                       uint16_t number)
{
    const struct wireguard_profile *p = c->profile;
    const struct wireguard_profile_peer *peer = &p->peers[number];
    if (!peer->has_key) {
        say(c, PROTOCOL_ERROR, peer->line, "this [Peer] has no PublicKey");
        return;
    }
    if (p->has_key && !memcmp(peer->public_key, us->public_key, WIRE_KEY_SIZE))
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
    if (!has_networks(p, number))
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

static void check_peers(struct check *c)
{
    struct wireguard_profile *p = c->profile;
    struct identity us;
    if (p->has_key)
        handshake_identity_init(&us, p->private_key);
    for (uint16_t i = 0; i < p->peer_count; i++)
        check_peer(c, &us, i);
    if (p->peer_count == 0)
        say(c, PROTOCOL_ERROR, 0, "there is no [Peer]: nobody to connect to");
    else if (!find_main(p))
        say(c, PROTOCOL_ERROR, p->peers[0].line,
            "no [Peer] has an Endpoint, so there is nothing to connect to%s",
            p->listen_port ? ": with its ListenPort this looks like a "
                             "server's file, and the client's is wanted"
                           : "");
    else
        for (uint16_t i = 0; i < p->peer_count; i++)
            if (!p->peers[i].host[0])
                say(c, PROTOCOL_NOTE, p->peers[i].line,
                    "this peer has no Endpoint: it is reached once it has "
                    "spoken to us");
}

static void check_family(struct check *c, enum address_family family,
                         const struct prefix *own, const char *name)
{
    bool wanted = false;
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
