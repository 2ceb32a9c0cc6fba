#include "gateway/openvpn/server_config/server_client_config.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/config/config_file.h"
#include "gateway/openvpn/server_config/server_config_options.h"

#define HANDLER(verb) static CONFIG_OPTIONS_HANDLER(verb)

struct client_builder {
    struct config_builder common; /* first */
    struct server_client_config *out;
    const struct server_config *server;
};

static_assert(offsetof(struct client_builder, common) == 0,
              "a builder is a client's builder's start");

static struct client_builder *builder_of(struct config_builder *b)
{
    return (struct client_builder *)b;
}

void server_client_config_clear(struct server_client_config *c)
{
    for (size_t i = 0; i < c->push_count; i++)
        free(c->pushes[i]);
    for (size_t i = 0; i < c->remove_count; i++)
        free(c->removes[i]);
    free(c->pushes);
    free(c->removes);
    free(c->routes);
    *c = (struct server_client_config){0};
}

/* --- Directives ---------------------------------------------------------- */

HANDLER(ifconfig_push)
{
    (void)option;
    struct client_builder *s = builder_of(b);
    const struct prefix *own = &s->server->ipv4;
    struct prefix network = prefix_of(&own->address, own->bits);
    uint32_t address, other;
    uint8_t bits = 32;
    bool subnet = s->server->topology == SERVER_CONFIG_SUBNET;
    if (!server_config_options_ipv4(b, line, 1, &address) ||
        !server_config_options_ipv4(b, line, 2, &other))
        return;
    if (subnet && !prefix_bits_of_netmask(other, &bits)) {
        config_builder_error(b, "`ifconfig-push' gives two addresses, as "
                                "`topology net30' has it: write the netmask "
                                "of `server' for the second, or `topology "
                                "net30' in the configuration");
        return;
    }
    uint32_t hosts = UINT32_MAX >> own->bits;
    struct address a = address_ipv4(address);
    if (!prefix_contains(&network, &a) || (address & hosts) == 0 ||
        (address & hosts) == hosts || address_equal(&a, &own->address)) {
        config_builder_error(b, "`ifconfig-push' wants an address of the "
                                "network of `server', not its first or last "
                                "one or the server's own");
        return;
    }
    s->out->ipv4 = (struct prefix){a, bits};
    s->out->ipv4_second = address_ipv4(other);
}

static bool read_ipv6(struct config_builder *b, const struct config_line *line,
                      struct prefix *p)
{
    const char *text = config_builder_argument(line, 1);
    char out[LOG_QUOTE_SIZE];
    if (prefix_parse(bytes_of_text(text), p) &&
        p->address.family == ADDRESS_IPV6)
        return true;
    config_builder_error(b, "`%s' is not an IPv6 prefix",
                         log_quote(out, bytes_of_text(text)));
    return false;
}

HANDLER(ifconfig_ipv6_push)
{
    (void)option;
    struct client_builder *s = builder_of(b);
    const struct prefix *own = &s->server->ipv6;
    struct prefix p, network = prefix_of(&own->address, own->bits);
    if (!server_config_options_own_ipv6(b, line, &p))
        return;
    if (own->address.family != ADDRESS_IPV6 ||
        !prefix_contains(&network, &p.address) ||
        address_equal(&p.address, &own->address)) {
        config_builder_error(b, "`ifconfig-ipv6-push' wants an address of the "
                                "network of `server-ipv6', not the server's "
                                "own");
        return;
    }
    s->out->ipv6 = p;
}

static void add_route(struct config_builder *b, const struct prefix *p)
{
    struct server_client_config *c = builder_of(b)->out;
    uint32_t most = builder_of(b)->server->client_routes_max;
    if (c->route_count == most) {
        config_builder_error(b, "more than %u routes to one client", most);
        return;
    }
    struct prefix *grown =
        reallocarray(c->routes, c->route_count + 1, sizeof *grown);
    if (!grown) {
        config_builder_error(b, "out of memory");
        return;
    }
    c->routes = grown;
    grown[c->route_count++] = prefix_of(&p->address, p->bits);
}

HANDLER(iroute)
{
    (void)option;
    uint32_t network;
    uint8_t bits = 32;
    if (!server_config_options_ipv4(b, line, 1, &network) ||
        (config_builder_argument(line, 2) &&
         !server_config_options_netmask(b, line, 2, &bits)))
        return;
    struct prefix p = {address_ipv4(network), bits};
    add_route(b, &p);
}

HANDLER(iroute_ipv6)
{
    (void)option;
    struct prefix p;
    if (read_ipv6(b, line, &p))
        add_route(b, &p);
}

HANDLER(push)
{
    (void)option;
    struct server_client_config *c = builder_of(b)->out;
    if (server_config_options_push(b, line, c->push_count))
        (void)!config_builder_append(
            b, &c->pushes, &c->push_count,
            bytes_of_text(config_builder_argument(line, 1)));
}

HANDLER(push_remove)
{
    (void)option;
    struct server_client_config *c = builder_of(b)->out;
    if (server_config_options_push(b, line, c->remove_count))
        (void)!config_builder_append(
            b, &c->removes, &c->remove_count,
            bytes_of_text(config_builder_argument(line, 1)));
}

HANDLER(push_reset)
{
    (void)option;
    (void)line;
    builder_of(b)->out->removes_all = true;
}

HANDLER(disable)
{
    (void)option;
    (void)line;
    builder_of(b)->out->disabled = true;
}

#define CALL(name, least, most, handler)                                       \
    {                                                                          \
        name, least, most, 0, handler, 0, 0, 0, NULL                           \
    }

static const struct config_option table[] = {
    CALL("ifconfig-push", 2, 3, ifconfig_push),
    CALL("ifconfig-ipv6-push", 1, 2, ifconfig_ipv6_push),
    CALL("iroute", 1, 2, iroute),
    CALL("iroute-ipv6", 1, 1, iroute_ipv6),
    CALL("push", 1, 1, push),
    CALL("push-remove", 1, 1, push_remove),
    CALL("push-reset", 0, 0, push_reset),
    CALL("disable", 0, 0, disable),
};

/* --- The file ------------------------------------------------------------ */

static void apply(struct config_builder *b, struct config_line *line)
{
    const char *name = line->tokens->token[0];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        config_options_apply(b, &table[i], line);
        return;
    }
    const struct config_option *other = server_config_options_find(name);
    if (other && !server_config_options_restricts(name))
        config_builder_warn(b,
                            "`%s' is ignored: it is no directive of a "
                            "single client",
                            name);
    else if (other || config_file_is_option_like(name, line->tokens->count))
        config_builder_error(b, "`%s' is no directive of a single client",
                             name);
    else
        config_builder_error(b, "this is no directive of a single client");
}

bool server_client_config_parse(struct bytes text,
                                const struct server_config *server,
                                const struct config_parser_env *env,
                                struct server_client_config *out)
{
    struct client_builder s = {.out = out, .server = server};
    struct config unused = {0};
    struct config_file f;
    struct bytes one;
    *out = (struct server_client_config){0};
    config_builder_init(&s.common, &unused, env);
    config_file_init(&f, text);
    while (config_file_line(&f, &one)) {
        struct config_tokens tokens;
        s.common.line = f.line;
        const char *problem = config_file_cut(one, &tokens);
        struct config_line line = {.tokens = &tokens, .text = one};
        if (problem)
            config_builder_error(&s.common, "%s", problem);
        else if (tokens.count > 0)
            apply(&s.common, &line);
    }
    bool usable = !s.common.failed;
    config_builder_clear(&s.common);
    return usable;
}

/* --- Questions ----------------------------------------------------------- */

bool server_client_config_is_file_name(const char *name)
{
    if (name[0] == 0 || name[0] == '.')
        return false;
    for (const char *p = name; *p; p++)
        if (*p == '/' || !isprint((unsigned char)*p))
            return false;
    return true;
}

bool server_client_config_takes(const struct server_client_config *c,
                                const char *push)
{
    if (c->removes_all)
        return false;
    for (size_t i = 0; i < c->remove_count; i++)
        if (text_starts_with(bytes_of_text(push), c->removes[i]))
            return false;
    return true;
}
