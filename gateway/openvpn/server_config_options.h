/* The directives that only a server's configuration has, in one table. */
#ifndef OPENVPN_SERVER_CONFIG_OPTIONS_H
#define OPENVPN_SERVER_CONFIG_OPTIONS_H

#include "gateway/openvpn/config_options.h"
#include "gateway/openvpn/server_config.h"

/* What the handlers are given as their builder. */
struct server_config_builder {
    struct config_builder common; /* first; fills out->common */
    struct server_config *out;
    bool has_pool; /* ifconfig-pool was said */
};

/* NULL if the server has no such directive of its own. */
const struct config_option *server_config_options_find(const char *name);
/* A client's, which means nothing to a server or is to be pushed instead. */
bool server_config_options_client_only(const char *name);

#endif
