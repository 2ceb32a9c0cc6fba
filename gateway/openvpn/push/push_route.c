#include "gateway/openvpn/push/push_route.h"

#include "gateway/base/text.h"

static bool is_word(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

static const char *argument(const struct config_tokens *t, size_t i)
{
    return i < t->count ? t->token[i] : NULL;
}

static bool parse_as(const char *text, enum address_family family,
                     struct address *out)
{
    return text && address_parse(bytes_of_text(text), out) &&
           out->family == family;
}

/* Like prefix_parse(), but bits beyond the prefix may be set. */
static bool parse_host_prefix(const char *text, struct prefix *out)
{
    struct bytes rest = bytes_of_text(text), host;
    struct prefix p;
    uint32_t bits = 128;
    if (!text_cut(&rest, '/', &host) || !address_parse(host, &p.address) ||
        p.address.family != ADDRESS_IPV6 ||
        (rest.data && !text_to_u32(rest, 128, &bits)))
        return false;
    p.bits = (uint8_t)bits;
    *out = p;
    return true;
}

/* --- Addresses ----------------------------------------------------------- */

bool push_route_ifconfig(struct push_route *r, const struct config_tokens *t,
                         const char **note)
{
    (void)note;
    struct address local, other;
    if (!parse_as(argument(t, 1), ADDRESS_IPV4, &local) ||
        !parse_as(argument(t, 2), ADDRESS_IPV4, &other) ||
        address_to_ipv4(&local) == 0)
        return false;
    r->local = local;
    r->remote_or_mask = other;
    return true;
}

bool push_route_ifconfig_ipv6(struct push_route *r,
                              const struct config_tokens *t, const char **note)
{
    (void)note;
    struct prefix local;
    struct address remote = {0};
    if (!parse_host_prefix(t->token[1], &local) || local.bits == 0 ||
        (argument(t, 2) && !parse_as(argument(t, 2), ADDRESS_IPV6, &remote)))
        return false;
    r->local6 = local;
    return true;
}

bool push_route_topology(struct push_route *r, const struct config_tokens *t,
                         const char **note)
{
    (void)note;
    static const char *const names[] = {
        [PUSH_NET30] = "net30", [PUSH_P2P] = "p2p", [PUSH_SUBNET] = "subnet"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_word(t->token[1], names[i])) {
            r->topology = (enum push_topology)i;
            return true;
        }
    }
    return false;
}

bool push_route_gateway(struct push_route *r, const struct config_tokens *t,
                        const char **note)
{
    if (is_word(t->token[1], "dhcp")) {
        *note = "a gateway by DHCP is only for Ethernet tunnels";
        return true;
    }
    struct address gateway;
    if (!parse_as(t->token[1], ADDRESS_IPV4, &gateway))
        return false;
    r->gateway = gateway;
    return true;
}

bool push_route_metric(struct push_route *r, const struct config_tokens *t,
                       const char **note)
{
    (void)note;
    return text_to_u32(bytes_of_text(t->token[1]), UINT32_MAX, &r->metric);
}

/* --- Routes -------------------------------------------------------------- */

static bool parse_metric(const char *text, struct push_route_entry *e)
{
    if (!text || is_word(text, "default"))
        return true;
    e->has_metric = true;
    return text_to_u32(bytes_of_text(text), UINT32_MAX, &e->metric);
}

/* Every gateway but the uplink's own is reached through the tunnel: behind an
 * IP tunnel there is no other place where it could be. */
static bool parse_gateway(const char *text, enum address_family family,
                          struct push_route_entry *e, const char **note)
{
    struct address gateway;
    if (!text || is_word(text, "default") || is_word(text, "vpn_gateway") ||
        parse_as(text, family, &gateway))
        return true;
    if (is_word(text, "net_gateway") || is_word(text, "net_gateway_ipv6")) {
        e->excluded = true;
        return true;
    }
    if (!is_word(text, "remote_host"))
        return false;
    *note = "a route through the server's outer address is not made";
    return true;
}

/* A host name cannot be told from a mistake without a resolver, but neither
 * makes a route. */
static bool looks_like_name(const char *text)
{
    return text[0] && !strpbrk(text, ":/[]") &&
           strspn(text, "0123456789.") != strlen(text);
}

static bool parse_mask(const char *text, uint8_t *bits)
{
    struct address mask;
    *bits = 32;
    return !text || is_word(text, "default") ||
           (parse_as(text, ADDRESS_IPV4, &mask) &&
            prefix_bits_of_netmask(address_to_ipv4(&mask), bits));
}

static bool keep(struct push_route *r, const struct push_route_entry *e)
{
    if (r->count == TUNNEL_ROUTES_MAX)
        r->left++;
    else
        r->entries[r->count++] = *e;
    return true;
}

bool push_route_add(struct push_route *r, const struct config_tokens *t,
                    const char **note)
{
    struct push_route_entry e = {0};
    struct address network = {0};
    uint8_t bits;
    const char *to = t->token[1];
    if (!parse_mask(argument(t, 2), &bits) ||
        !parse_gateway(argument(t, 3), ADDRESS_IPV4, &e, note) ||
        !parse_metric(argument(t, 4), &e))
        return false;
    if (is_word(to, "vpn_gateway")) {
        e.to_gateway = true;
    } else if (is_word(to, "net_gateway") || is_word(to, "remote_host")) {
        *note = "a route to the outer network is not made";
        return true;
    } else if (parse_as(to, ADDRESS_IPV4, &network)) {
        e.prefix = prefix_of(&network, bits);
    } else if (looks_like_name(to)) {
        *note = "a route to a name is not made";
        return true;
    } else {
        return false;
    }
    return keep(r, &e);
}

bool push_route_add_ipv6(struct push_route *r, const struct config_tokens *t,
                         const char **note)
{
    struct push_route_entry e = {0};
    if (!parse_host_prefix(t->token[1], &e.prefix) ||
        !parse_gateway(argument(t, 2), ADDRESS_IPV6, &e, note) ||
        !parse_metric(argument(t, 3), &e))
        return false;
    e.prefix = prefix_of(&e.prefix.address, e.prefix.bits);
    return keep(r, &e);
}

void push_route_clear(struct push_route *r, enum address_family family)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < r->count; i++) {
        const struct push_route_entry *e = &r->entries[i];
        if (e->to_gateway ? family != ADDRESS_IPV4
                          : e->prefix.address.family != family)
            r->entries[kept++] = *e;
    }
    r->count = kept;
    r->left = 0;
}

/* Flags about the outer network mean nothing here: the encrypted packets
 * never take the route that is replaced. */
bool push_route_redirect(struct push_route *r, const struct config_tokens *t,
                         const char **note)
{
    (void)note;
    static const char *const outer[] = {"local",      "autolocal",
                                        "def1",       "bypass-dhcp",
                                        "bypass-dns", "block-local"};
    bool ipv4 = is_word(t->token[0], "redirect-gateway"), ipv6 = false;
    bool replaces = ipv4;
    for (size_t i = 1; i < t->count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof outer / sizeof outer[0]; k++)
            known = known || is_word(t->token[i], outer[k]);
        if (is_word(t->token[i], "ipv6"))
            ipv6 = replaces;
        else if (is_word(t->token[i], "!ipv4"))
            ipv4 = false;
        else if (!known)
            return false;
    }
    if (replaces) {
        r->redirect_ipv4 = ipv4;
        r->redirect_ipv6 = r->redirect_ipv6 || ipv6;
    }
    return true;
}

/* --- What comes of it ---------------------------------------------------- */

/* In a subnet the second value of ifconfig is a mask, else the other end. A
 * server that pushes a mask without saying `topology subnet` means one. */
static void finish_ipv4(const struct push_route *r, struct tunnel *tunnel)
{
    if (r->local.family == ADDRESS_NONE)
        return;
    uint32_t other = address_to_ipv4(&r->remote_or_mask);
    uint8_t bits = 32;
    bool is_mask = prefix_bits_of_netmask(other, &bits) && bits > 0 &&
                   (r->topology == PUSH_SUBNET || other >> 24 == 255);
    tunnel->ipv4 = (struct prefix){r->local, is_mask ? bits : 32};
    if (r->gateway.family != ADDRESS_NONE)
        tunnel->ipv4_gateway = r->gateway;
    else if (!is_mask)
        tunnel->ipv4_gateway = r->remote_or_mask;
}

static void finish_routes(const struct push_route *r, struct tunnel *tunnel)
{
    for (uint16_t i = 0; i < r->count; i++) {
        const struct push_route_entry *e = &r->entries[i];
        struct tunnel_route route = {
            .prefix = e->prefix,
            .metric = e->has_metric ? e->metric : r->metric,
            .excluded = e->excluded,
        };
        if (e->to_gateway && tunnel->ipv4_gateway.family == ADDRESS_NONE)
            continue;
        if (e->to_gateway)
            route.prefix = prefix_of(&tunnel->ipv4_gateway, 32);
        tunnel->routes[tunnel->route_count++] = route;
    }
}

bool push_route_finish(const struct push_route *r, struct tunnel *tunnel,
                       const char **why)
{
    if (r->local.family == ADDRESS_NONE && r->local6.bits == 0) {
        *why = "the server assigned no address";
        return false;
    }
    finish_ipv4(r, tunnel);
    if (r->local6.bits)
        tunnel->ipv6 = r->local6;
    finish_routes(r, tunnel);
    tunnel->redirect_ipv4 = r->redirect_ipv4;
    tunnel->redirect_ipv6 = r->redirect_ipv6;
    tunnel->block_ipv6 = r->block_ipv6;
    return true;
}
