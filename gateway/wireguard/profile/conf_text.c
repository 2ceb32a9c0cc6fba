/* wireguard_profile_describe(): a profile in a few lines for a person. */
#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/crypto/noise/x25519.h"
#include "gateway/wireguard/profile/conf_key.h"
#include "gateway/wireguard/profile/wireguard_profile.h"

enum { TEXT_SIZE = 512 };

typedef void line_function(void *context, const char *topic, const char *text);

static const char *place(const struct protocol_server *s, char out[TEXT_SIZE])
{
    bool ipv6 = strchr(s->host, ':') != NULL;
    snprintf(out, TEXT_SIZE, "%s%s%s:%u/udp", ipv6 ? "[" : "", s->host,
             ipv6 ? "]" : "", s->port);
    return out;
}

static void describe_addresses(const struct wireguard_profile *p,
                               line_function *line, void *context)
{
    char text[TEXT_SIZE], one[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];
    bool both = p->ipv4.address.family && p->ipv6.address.family;
    const struct prefix *first = p->ipv4.address.family ? &p->ipv4 : &p->ipv6;
    if (!first->address.family)
        return;
    snprintf(text, sizeof text, "%s%s%s", address_format(&first->address, one),
             both ? ", " : "",
             both ? address_format(&p->ipv6.address, other) : "");
    line(context, "address", text);
}

static void describe_resolvers(const struct wireguard_profile *p,
                               line_function *line, void *context)
{
    char text[TEXT_SIZE], one[ADDRESS_TEXT_SIZE];
    struct writer w = writer_of(text, sizeof text - 1);
    for (uint16_t i = 0; i < p->resolver_count; i++)
        text_write(&w, "%s%s", i ? ", " : "",
                   address_format(&p->resolvers[i], one));
    text[w.size] = 0;
    line(context, "resolvers", p->resolver_count ? text : "none");
}

static void describe_networks(const struct wireguard_profile *p,
                              line_function *line, void *context)
{
    char text[TEXT_SIZE];
    /* Without an address of ours a family is refused. */
    bool ipv4 =
        p->ipv4.address.family && wireguard_profile_takes_all(p, ADDRESS_IPV4);
    bool ipv6 =
        p->ipv6.address.family && wireguard_profile_takes_all(p, ADDRESS_IPV6);
    if (ipv4 || ipv6)
        snprintf(text, sizeof text, "all of %s",
                 ipv4 && ipv6 ? "IPv4 and IPv6"
                 : ipv4       ? "IPv4"
                              : "IPv6");
    else
        snprintf(text, sizeof text, "%u network%s", p->network_count,
                 p->network_count == 1 ? "" : "s");
    line(context, "through the tunnel", text);
}

void wireguard_profile_describe(const struct protocol_profile *profile,
                                line_function *line, void *context)
{
    const struct wireguard_profile *p =
        (const struct wireguard_profile *)profile;
    char text[TEXT_SIZE], key[CONF_KEY_TEXT_SIZE];
    uint8_t public_key[WIRE_KEY_SIZE];
    for (size_t i = 0; i < profile->server_count; i++)
        line(context, "server", place(&profile->servers[i], text));
    if (p->peer_count > 1) {
        snprintf(text, sizeof text, "%u", p->peer_count);
        line(context, "peers", text);
    }
    describe_addresses(p, line, context);
    describe_networks(p, line, context);
    describe_resolvers(p, line, context);
    if (p->has_key) {
        x25519_public(public_key, p->private_key);
        conf_key_write(public_key, key);
        line(context, "our public key", key);
    }
    if (p->peer_count > 0)
        line(context, "preshared key",
             p->peers[p->main].has_preshared ? "yes" : "no");
}
