/*
 * The configuration for one client alone: a file of `client-config-dir', in
 * OpenVPN's own directives.
 */
#ifndef OPENVPN_SERVER_CONFIG_SERVER_CLIENT_CONFIG_H
#define OPENVPN_SERVER_CONFIG_SERVER_CLIENT_CONFIG_H

#include "gateway/openvpn/config/config_parser.h"
#include "gateway/openvpn/server_config/server_config.h"

struct server_client_config {
    struct prefix ipv4, ipv6;   /* ifconfig-push; family NONE: of the pool */
    struct address ipv4_second; /* its netmask or other end */
    struct prefix *routes;      /* owned: iroute */
    size_t route_count;
    char **pushes; /* owned: for it alone */
    size_t push_count;
    char **removes; /* owned: what of all clients' pushes it does not get, by
                       how that begins */
    size_t remove_count;
    bool removes_all; /* push-reset */
    bool disabled;
};

void server_client_config_clear(struct server_client_config *c);

/* `server` says in what network addresses must lie. False with one error
 * reported at least. To be cleared in either case. */
MUST_USE bool server_client_config_parse(struct bytes text,
                                         const struct server_config *server,
                                         const struct config_parser_env *env,
                                         struct server_client_config *out);

/* A name under which such a file can lie in a directory: not empty, without
 * a slash, not beginning with a dot, printable. */
bool server_client_config_is_file_name(const char *name);
/* Whether a client with this configuration gets that push of all clients. */
bool server_client_config_takes(const struct server_client_config *c,
                                const char *push);

#endif
