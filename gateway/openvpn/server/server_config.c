#include "gateway/openvpn/server/server_config.h"

#include <stdlib.h>

#include "gateway/openvpn/config/config_builder.h"

enum {
    MAX_CLIENTS_DEFAULT = 1024,
    FIRST_ANSWERS_DEFAULT = 1000, /* OpenVPN: 100; without state an answer
                                     costs one keyed hash */
    FIRST_SECONDS_DEFAULT = 10,
    POOL_SECONDS_DEFAULT = 600,
    STATUS_SECONDS_DEFAULT = 60,
};

const char *server_config_topology_name(enum server_config_topology t)
{
    static const char *const names[] = {"subnet", "net30", "p2p"};
    _Static_assert(sizeof names / sizeof *names ==
                       SERVER_CONFIG_TOPOLOGY_LAST + 1,
                   "a topology without a name");
    return names[t];
}

void server_config_init(struct server_config *c)
{
    *c = (struct server_config){
        .device = "tun0",
        .max_clients = MAX_CLIENTS_DEFAULT,
        .client_routes_max = SERVER_CONFIG_CLIENT_ROUTES_MAX,
        .first_answers = FIRST_ANSWERS_DEFAULT,
        .first_seconds = FIRST_SECONDS_DEFAULT,
        .pool_seconds = POOL_SECONDS_DEFAULT,
        .status_seconds = STATUS_SECONDS_DEFAULT,
        .status_version = 1,
        .protocol_bits = UINT32_MAX,
    };
    config_init(&c->common);
}

void server_config_clear(struct server_config *c)
{
    for (size_t i = 0; i < c->push_count; i++)
        free(c->pushes[i]);
    free(c->pushes);
    free(c->users);
    free(c->helper);
    free(c->clients_directory);
    free(c->pool_file);
    free(c->status_file);
    blob_free(&c->token_key);
    blob_free(&c->wrapped_key_texts);
    free(c->revoked_file);
    config_clear(&c->common);
    *c = (struct server_config){0};
}
