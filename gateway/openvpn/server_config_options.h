/* The directives that only a server's configuration has, in one table. */
#ifndef OPENVPN_SERVER_CONFIG_OPTIONS_H
#define OPENVPN_SERVER_CONFIG_OPTIONS_H

#include "gateway/openvpn/config_options.h"
#include "gateway/openvpn/server_config.h"

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

/* What the handlers are given as their builder. */
struct server_config_builder {
    struct config_builder common; /* first; fills out->common */
    struct server_config *out;
    bool has_pool; /* ifconfig-pool was said */
    uint16_t port;
    enum config_protocol protocol;
    enum address_family family; /* NONE: both */
    struct server_config_local locals[SERVER_CONFIG_LOCALS_MAX];
    size_t local_count;
};

/* NULL if the server has no such directive of its own. */
const struct config_option *server_config_options_find(const char *name);
/* A client's, which means nothing to a server or is to be pushed instead. */
bool server_config_options_client_only(const char *name);

#endif
