/* The directives about where clients find the server, and what lies inside of
 * the tunnel. */
#include "gateway/openvpn/server_config/server_config_options.h"

#include <ctype.h>
#include <strings.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#define HANDLER(verb) CONFIG_OPTIONS_HANDLER(verb)

enum { IPV6_BITS_DEFAULT = 64 };

static struct server_config_builder *builder_of(struct config_builder *b)
{
    return (struct server_config_builder *)b;
}

static struct server_config *out_of(struct config_builder *b)
{
    return builder_of(b)->out;
}

static const char *quoted(char out[LOG_QUOTE_SIZE], const char *text)
{
    return log_quote(out, bytes_of_text(text ? text : ""));
}

/* --- Arguments ----------------------------------------------------------- */

bool server_config_options_ipv4(struct config_builder *b,
                                const struct config_line *line, size_t number,
                                uint32_t *value)
{
    const char *text = config_builder_argument(line, number);
    struct address a;
    char out[LOG_QUOTE_SIZE];
    if (text && address_parse(bytes_of_text(text), &a) &&
        a.family == ADDRESS_IPV4) {
        *value = address_to_ipv4(&a);
        return true;
    }
    config_builder_error(b, "`%s' is not an IPv4 address", quoted(out, text));
    return false;
}

bool server_config_options_netmask(struct config_builder *b,
                                   const struct config_line *line,
                                   size_t number, uint8_t *bits)
{
    uint32_t mask;
    if (!server_config_options_ipv4(b, line, number, &mask))
        return false;
    if (prefix_bits_of_netmask(mask, bits))
        return true;
    config_builder_error(b, "the netmask of `%s' has holes", line->name);
    return false;
}

bool server_config_options_own_ipv6(struct config_builder *b,
                                    const struct config_line *line,
                                    struct prefix *p)
{
    const char *text = config_builder_argument(line, 1);
    struct bytes rest = bytes_of_text(text), address;
    char out[LOG_QUOTE_SIZE];
    uint32_t bits;
    bool said = text_cut(&rest, '/', &address) && rest.data;
    bits = IPV6_BITS_DEFAULT; /* openvpn: options.c, get_ipv6_addr */
    if (address_parse(address, &p->address) &&
        p->address.family == ADDRESS_IPV6 &&
        (!said || text_to_u32(rest, 128, &bits))) {
        p->bits = (uint8_t)bits;
        return true;
    }
    config_builder_error(b, "`%s' is not an IPv6 address with its bits",
                         log_quote(out, bytes_of_text(text)));
    return false;
}

/* --- Where clients find it ----------------------------------------------- */

static bool find_protocol(struct config_builder *b, const char *text,
                          enum config_protocol *protocol,
                          enum address_family *family)
{
    static const struct {
        const char *name;
        enum config_protocol protocol;
        enum address_family family;
    } spellings[] = {
        {"udp", CONFIG_UDP, ADDRESS_NONE},
        {"udp4", CONFIG_UDP, ADDRESS_IPV4},
        {"udp6", CONFIG_UDP, ADDRESS_NONE}, /* OpenVPN's takes both, too */
        {"tcp", CONFIG_TCP, ADDRESS_NONE},
        {"tcp4", CONFIG_TCP, ADDRESS_IPV4},
        {"tcp6", CONFIG_TCP, ADDRESS_NONE},
        {"tcp-server", CONFIG_TCP, ADDRESS_NONE},
        {"tcp4-server", CONFIG_TCP, ADDRESS_IPV4},
        {"tcp6-server", CONFIG_TCP, ADDRESS_NONE},
    };
    char out[LOG_QUOTE_SIZE];
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        if (strcasecmp(text, spellings[i].name) != 0)
            continue;
        *protocol = spellings[i].protocol;
        *family = spellings[i].family;
        return true;
    }
    config_builder_error(b, "`%s' is not a server's protocol; udp and tcp are",
                         quoted(out, text));
    return false;
}

/* Several lines, as OpenVPN 2.7 has it: one for each protocol. */
HANDLER(server_config_options_local)
{
    (void)option;
    struct server_config_builder *s = builder_of(b);
    struct server_config_local l = {.line = b->line};
    const char *text = config_builder_argument(line, 1);
    const char *protocol = config_builder_argument(line, 3);
    char out[LOG_QUOTE_SIZE];
    uint32_t number;
    if (strcmp(text, "*") != 0 &&
        !address_parse(bytes_of_text(text), &l.address)) {
        config_builder_error(b, "`%s' is not an IP address", quoted(out, text));
        return;
    }
    if (config_builder_argument(line, 2)) {
        if (!config_builder_number(b, line, 2, 1, UINT16_MAX, &number))
            return;
        l.port = (uint16_t)number;
    }
    l.has_protocol = protocol != NULL;
    if (protocol && !find_protocol(b, protocol, &l.protocol, &l.family))
        return;
    if (s->local_count == SERVER_CONFIG_LOCALS_MAX)
        config_builder_error(b, "there can be one `local' for each protocol");
    else
        s->locals[s->local_count++] = l;
}

HANDLER(server_config_options_port)
{
    (void)option;
    uint32_t value;
    if (config_builder_number(b, line, 1, 1, UINT16_MAX, &value))
        builder_of(b)->port = (uint16_t)value;
}

HANDLER(server_config_options_proto)
{
    (void)option;
    struct server_config_builder *s = builder_of(b);
    (void)find_protocol(b, config_builder_argument(line, 1), &s->protocol,
                        &s->family);
}

HANDLER(server_config_options_device)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    if (text_starts_with(bytes_of_text(text), "tap")) {
        config_builder_error(b, "`dev tap' is refused: Ethernet tunnels are "
                                "not supported, only IP (tun)");
        return;
    }
    for (const char *p = text; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("-_.", *p))
            continue;
        config_builder_error(b, "`%s' is not a name of an interface",
                             quoted(out, text));
        return;
    }
    /* "tun" alone: a number of the kernel's choice, which is tun0 here. */
    if (strcmp(text, "tun") != 0 &&
        !text_copy(out_of(b)->device, SERVER_CONFIG_DEVICE_SIZE,
                   bytes_of_text(text)))
        config_builder_error(b, "the name of `dev' is too long");
}

HANDLER(server_config_options_mode)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "server") != 0)
        config_builder_error(b, "only `mode server' is a server's");
}

/* --- Inside the tunnel --------------------------------------------------- */

static void add_route(struct config_builder *b, const struct prefix *p)
{
    struct server_config *c = out_of(b);
    if (c->route_count == SERVER_CONFIG_ROUTES_MAX)
        config_builder_error(b, "more than %d routes",
                             SERVER_CONFIG_ROUTES_MAX);
    else
        c->routes[c->route_count++] = *p;
}

HANDLER(server_config_options_route)
{
    (void)option;
    uint32_t network;
    uint8_t bits = 32;
    if (!server_config_options_ipv4(b, line, 1, &network) ||
        (config_builder_argument(line, 2) &&
         !server_config_options_netmask(b, line, 2, &bits)))
        return;
    struct address a = address_ipv4(network);
    struct prefix p = prefix_of(&a, bits);
    add_route(b, &p);
}

HANDLER(server_config_options_route_ipv6)
{
    (void)option;
    const char *text = config_builder_argument(line, 1);
    struct prefix p;
    char out[LOG_QUOTE_SIZE];
    if (prefix_parse(bytes_of_text(text), &p) &&
        p.address.family == ADDRESS_IPV6)
        add_route(b, &p);
    else
        config_builder_error(b, "`%s' is not an IPv6 network",
                             quoted(out, text));
}

static bool is_about_compression(const char *text)
{
    struct bytes rest = bytes_of_text(text), name;
    return text_cut(&rest, ' ', &name) &&
           (text_equal(name, "comp-lzo") || text_equal(name, "compress") ||
            text_equal(name, "comp-noadapt"));
}

bool server_config_options_push(struct config_builder *b,
                                const struct config_line *line, size_t count)
{
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    if (count == SERVER_CONFIG_PUSHES_MAX) {
        config_builder_error(b, "more than %d options to push",
                             SERVER_CONFIG_PUSHES_MAX);
        return false;
    }
    if (is_about_compression(text)) {
        config_builder_warn(b,
                            "`push \"%s\"' is left out: each client is told "
                            "what it needs, and nothing is compressed",
                            log_quote(out, bytes_of_text(text)));
        return false;
    }
    size_t size = strlen(text);
    if (size == 0 || size >= SERVER_CONFIG_PUSH_SIZE) {
        config_builder_error(b, "an option to push has 1 to %d characters",
                             SERVER_CONFIG_PUSH_SIZE - 1);
        return false;
    }
    if (!server_config_is_option(text)) {
        config_builder_error(b, "an option to push is printable ASCII without "
                                "a comma, which would end it");
        return false;
    }
    return true;
}

HANDLER(server_config_options_push_all)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (server_config_options_push(b, line, c->push_count))
        (void)!config_builder_append(
            b, &c->pushes, &c->push_count,
            bytes_of_text(config_builder_argument(line, 1)));
}

HANDLER(server_config_options_keepalive)
{
    (void)option;
    struct server_config *c = out_of(b);
    if (!config_builder_number(b, line, 1, 0, 86400, &c->ping) ||
        !config_builder_number(b, line, 2, 0, 86400, &c->ping_restart))
        return;
    if (c->ping_restart && c->ping_restart < 2 * c->ping)
        config_builder_error(b, "`keepalive' must wait at least twice as long "
                                "as it pings");
}
