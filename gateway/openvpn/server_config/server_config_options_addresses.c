/* The directives about addresses inside of the tunnel: the server's own, and
 * which ones clients get. */
#include "gateway/openvpn/server_config/server_config_options.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#define HANDLER(verb) CONFIG_OPTIONS_HANDLER(verb)

/* The start of the pool that `server-ipv6' means (openvpn: helper.c). */
enum { IPV6_FIRST = 0x1000, IPV6_FIRST_SMALL = 2, IPV6_SMALL_BITS = 112 };

static struct server_config_builder *builder_of(struct config_builder *b)
{
    return (struct server_config_builder *)b;
}

static struct server_config *out_of(struct config_builder *b)
{
    return builder_of(b)->out;
}

/* --- The server's own ---------------------------------------------------- */

/* The argument may be that, or none. */
static bool read_nopool(struct config_builder *b,
                        const struct config_line *line, size_t number,
                        bool *pool)
{
    const char *more = config_builder_argument(line, number);
    char out[LOG_QUOTE_SIZE];
    *pool = more == NULL;
    if (*pool || strcmp(more, "nopool") == 0)
        return true;
    config_builder_error(b, "`%s' is not `nopool'",
                         log_quote(out, bytes_of_text(more)));
    return false;
}

static void set_ipv4(struct config_builder *b, const struct config_line *line,
                     uint32_t own, uint8_t bits)
{
    struct server_config *c = out_of(b);
    uint32_t host = bits < 32 ? own & UINT32_MAX >> bits : 0;
    if (bits < 8 || bits > 29)
        config_builder_error(b, "`%s' wants a network from /8 to /29",
                             line->name);
    else if (host == 0 || host == UINT32_MAX >> bits)
        config_builder_error(b, "`%s' wants an address of a host", line->name);
    else if (!address_is_set(&c->ipv4.address))
        c->ipv4 = (struct prefix){address_ipv4(own), bits};
    else if (address_to_ipv4(&c->ipv4.address) != own || c->ipv4.bits != bits)
        config_builder_error(b, "there can be one `server' or `ifconfig'");
}

static void set_ipv6(struct config_builder *b, const struct config_line *line,
                     const struct prefix *own)
{
    struct server_config *c = out_of(b);
    if (own->bits < 64 || own->bits > 112)
        config_builder_error(b, "`%s' wants a network from /64 to /112",
                             line->name);
    else if (!address_is_set(&c->ipv6.address))
        c->ipv6 = *own;
    else if (!address_equal(&c->ipv6.address, &own->address) ||
             c->ipv6.bits != own->bits)
        config_builder_error(
            b, "there can be one `server-ipv6' or `ifconfig-ipv6'");
}

HANDLER(server_config_options_server)
{
    (void)option;
    uint32_t network;
    uint8_t bits;
    bool pool;
    if (!server_config_options_ipv4(b, line, 1, &network) ||
        !server_config_options_netmask(b, line, 2, &bits) ||
        !read_nopool(b, line, 3, &pool))
        return;
    if (bits < 32 && network & UINT32_MAX >> bits) {
        config_builder_error(b, "`server' wants a network's address; its "
                                "netmask leaves bits of it over");
        return;
    }
    builder_of(b)->wants_pool = pool;
    builder_of(b)->has_server = true;
    set_ipv4(b, line, network + 1, bits);
}

/* Beside `server' it may say the same once more: with a netmask, or with the
 * other end that `topology net30' gives it. */
HANDLER(server_config_options_ifconfig)
{
    (void)option;
    struct server_config_builder *s = builder_of(b);
    const struct prefix *set = &s->out->ipv4;
    uint32_t own, second;
    uint8_t bits;
    if (!server_config_options_ipv4(b, line, 1, &own) ||
        !server_config_options_ipv4(b, line, 2, &second))
        return;
    if (s->has_server && address_to_ipv4(&set->address) == own &&
        second == own + 1)
        return;
    if (!server_config_options_netmask(b, line, 2, &bits))
        return;
    s->has_ifconfig = true;
    set_ipv4(b, line, own, bits);
}

HANDLER(server_config_options_server_ipv6)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    struct server_config *c = out_of(b);
    struct prefix p;
    char out[LOG_QUOTE_SIZE];
    bool pool;
    if (!read_nopool(b, line, 2, &pool))
        return;
    if (!prefix_parse(bytes_of_text(text), &p) ||
        p.address.family != ADDRESS_IPV6) {
        config_builder_error(b, "`%s' is not an IPv6 network",
                             log_quote(out, bytes_of_text(text)));
        return;
    }
    struct address first = p.address;
    store_u16(first.bytes + 14,
              p.bits >= IPV6_SMALL_BITS ? IPV6_FIRST_SMALL : IPV6_FIRST);
    p.address.bytes[15] = 1;
    set_ipv6(b, line, &p);
    if (pool && !address_is_set(&c->ipv6_first))
        c->ipv6_first = first;
}

HANDLER(server_config_options_ifconfig_ipv6)
{
    (void)option;
    struct prefix own;
    if (server_config_options_own_ipv6(b, line, &own))
        set_ipv6(b, line, &own);
}

/* --- The clients' -------------------------------------------------------- */

HANDLER(server_config_options_ifconfig_pool)
{
    (void)option;
    struct server_config *c = out_of(b);
    uint32_t first, last;
    if (!server_config_options_ipv4(b, line, 1, &first) ||
        !server_config_options_ipv4(b, line, 2, &last))
        return;
    if (first > last) {
        config_builder_error(b, "`ifconfig-pool' ends before it begins");
        return;
    }
    c->pool_first = first;
    c->pool_last = last;
}

HANDLER(server_config_options_ifconfig_ipv6_pool)
{
    (void)option;
    struct prefix first;
    if (server_config_options_own_ipv6(b, line, &first))
        out_of(b)->ipv6_first = first.address;
}

HANDLER(server_config_options_topology)
{
    (void)option;
    struct server_config *c = out_of(b);
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    builder_of(b)->has_topology = true;
    for (unsigned t = 0; t <= SERVER_CONFIG_TOPOLOGY_LAST; t++) {
        if (strcmp(text, server_config_topology_name(t)) != 0)
            continue;
        c->topology = t;
        return;
    }
    config_builder_error(b, "`%s' is not `subnet', `net30' or `p2p'",
                         log_quote(out, bytes_of_text(text)));
}

/* --- What can be said only when all is known ----------------------------- */

/* The meaning of `server' for clients (openvpn: helper.c). Without a subnet the
 * first block of four is the server's, and the last one is left alone. */
static void set_pool(struct server_config *c)
{
    uint32_t hosts = UINT32_MAX >> c->ipv4.bits;
    uint32_t network = address_to_ipv4(&c->ipv4.address) & ~hosts;
    bool subnet = c->topology == SERVER_CONFIG_SUBNET;
    c->pool_first = network + (subnet ? 2 : 4);
    c->pool_last = network + hosts - (subnet ? 1 : 4);
}

static void check_ipv4(struct config_builder *b, const struct server_config *c)
{
    uint32_t first = c->pool_first, last = c->pool_last;
    if (c->topology == SERVER_CONFIG_NET30) {
        first &= ~UINT32_C(3);
        last |= 3;
    }
    uint32_t own = address_to_ipv4(&c->ipv4.address);
    uint32_t network = own & ~(UINT32_MAX >> c->ipv4.bits);
    uint32_t broadcast = network | UINT32_MAX >> c->ipv4.bits;
    if (first > last || first <= network || last >= broadcast ||
        (own >= first && own <= last))
        config_builder_error(b, "`ifconfig-pool' must lie inside of the "
                                "network of `server', without its first and "
                                "last address and the server's own");
}

/* As many as of IPv4's. */
static void check_ipv6(struct config_builder *b, const struct server_config *c)
{
    const struct address *own = &c->ipv6.address;
    struct prefix network = prefix_of(own, c->ipv6.bits);
    struct address last = c->ipv6_first;
    uint64_t first_low = load_u32(last.bytes + 12);
    uint64_t last_low = first_low + server_config_pool_count(c) - 1;
    uint64_t own_low = load_u32(own->bytes + 12);
    store_u32(last.bytes + 12, (uint32_t)last_low);
    bool near = memcmp(own->bytes, last.bytes, 12) == 0;
    if (own->family != ADDRESS_IPV6 || last_low > UINT32_MAX ||
        !prefix_contains(&network, &c->ipv6_first) ||
        !prefix_contains(&network, &last) ||
        (near && own_low >= first_low && own_low <= last_low))
        config_builder_error(
            b, "`ifconfig-ipv6-pool' must lie inside of the network of "
               "`ifconfig-ipv6' or `server-ipv6', with room for as many "
               "clients as IPv4's, without the server's own address");
}

void server_config_options_finish_addresses(struct server_config_builder *s)
{
    struct config_builder *b = &s->common;
    struct server_config *c = s->out;
    if (c->ipv4.address.family != ADDRESS_IPV4) {
        config_builder_error(b, "`server NETWORK NETMASK' is missing");
        return;
    }
    if (!s->has_topology)
        config_builder_warn(b, "there is no `topology'; `topology subnet' is "
                               "meant, as with OpenVPN 2.7 (until 2.6 it was "
                               "net30)");
    if (s->block_ipv6_line && address_is_set(&c->ipv6.address))
        config_builder_error(b,
                             "`block-ipv6' and `%s' exclude each other; "
                             "without the latter no client has IPv6",
                             "server-ipv6");
    if (s->has_ifconfig && !s->has_server &&
        c->topology != SERVER_CONFIG_SUBNET)
        config_builder_error(b, "`ifconfig' is for `topology subnet'; write "
                                "`server NETWORK NETMASK'");
    if (s->wants_pool && c->pool_first == 0)
        set_pool(c);
    if (c->pool_first == 0) {
        config_builder_error(b, "without a pool no client gets an address: "
                                "`ifconfig-pool' is missing");
        return;
    }
    check_ipv4(b, c);
    if (!b->failed && address_is_set(&c->ipv6_first))
        check_ipv6(b, c);
}
