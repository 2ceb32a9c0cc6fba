/* The directives that only a server's configuration has, in one table. */
#ifndef OPENVPN_SERVER_CONFIG_SERVER_CONFIG_OPTIONS_H
#define OPENVPN_SERVER_CONFIG_SERVER_CONFIG_OPTIONS_H

#include "gateway/openvpn/config/config_options.h"
#include "gateway/openvpn/server_config/server_config.h"

enum { SERVER_CONFIG_LOCALS_MAX = SERVER_CONFIG_PROTOCOLS };

/* A line `local ADDRESS [PORT [PROTOCOL]]'. */
struct server_config_local {
    unsigned line;
    struct address address; /* family NONE: any */
    uint16_t port;          /* 0: that of `port' */
    bool has_protocol;      /* else that of `proto' */
    enum config_protocol protocol;
    enum address_family family;
};

/* The handlers get this as their builder. */
struct server_config_builder {
    struct config_builder common; /* first; fills out->common */
    struct server_config *out;
    bool wants_pool; /* `server' without `nopool' */
    bool has_server;
    bool has_ifconfig; /* instead of `server', or beside it */
    bool has_topology;
    bool refused_judge;       /* of who comes in; it was said what to write */
    unsigned block_ipv6_line; /* or 0 */
    uint32_t compatible;      /* compat-mode, 20400 for 2.4.0; 0: none */
    uint16_t port;
    enum config_protocol protocol;
    enum address_family family; /* NONE: both */
    struct server_config_local locals[SERVER_CONFIG_LOCALS_MAX];
    size_t local_count;
};

/* Finds a directive: one of the server's own, or server_config_options_other.c
 * says what it means to a server. NULL: there is none such. */
const struct config_option *server_config_options_find(const char *name);
const struct config_option *server_config_options_other(const char *name);

/* It restricts a client, so that its file must not go without it. */
bool server_config_options_restricts(const char *name);

/* The whole builder, of the part that a handler gets. */
struct server_config_builder *
server_config_options_builder(struct config_builder *b);

/* Arguments of the other tables', too; an error where they are none. */
MUST_USE bool server_config_options_ipv4(struct config_builder *b,
                                         const struct config_line *line,
                                         size_t number, uint32_t *value);
MUST_USE bool server_config_options_netmask(struct config_builder *b,
                                            const struct config_line *line,
                                            size_t number, uint8_t *bits);
/* Argument 1: an address and how much of it is the network's. */
MUST_USE bool server_config_options_own_ipv6(struct config_builder *b,
                                             const struct config_line *line,
                                             struct prefix *p);
/* Whether argument 1 may be pushed behind `count` others. The server decides
 * what a client is told about compression: such lines are not kept. */
MUST_USE bool server_config_options_push(struct config_builder *b,
                                         const struct config_line *line,
                                         size_t count);

/* server_config_options_tunnel.c: where clients find it, and what is inside */
config_option_handler server_config_options_local, server_config_options_port,
    server_config_options_proto, server_config_options_device,
    server_config_options_mode, server_config_options_route,
    server_config_options_route_ipv6, server_config_options_keepalive,
    server_config_options_push_all;

/* server_config_options_addresses.c: of the server and of clients, inside */
config_option_handler server_config_options_server,
    server_config_options_server_ipv6, server_config_options_ifconfig,
    server_config_options_ifconfig_ipv6, server_config_options_ifconfig_pool,
    server_config_options_ifconfig_ipv6_pool, server_config_options_topology;
/* Once all is read. */
void server_config_options_finish_addresses(struct server_config_builder *s);

#endif
