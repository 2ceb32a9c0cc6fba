#include "gateway/openvpn/server_config/server_config.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/openvpn/config/config_builder.h"

enum {
    BLOCK = 4,        /* addresses of a /30 */
    POOL_MAX = 65000, /* fits into IPv6's last 16 bits */
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
    static_assert(sizeof names / sizeof *names ==
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

/* A client has the third address of a /30; the second is the tunnel's other
 * end. */
uint32_t server_config_pool_step(const struct server_config *c)
{
    return c->topology == SERVER_CONFIG_NET30 ? BLOCK : 1;
}

uint32_t server_config_pool_count(const struct server_config *c)
{
    uint32_t step = server_config_pool_step(c);
    uint32_t count = c->pool_last / step - c->pool_first / step + 1;
    return count < POOL_MAX ? count : POOL_MAX;
}

bool server_config_is_option(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (!isprint((unsigned char)text[i]) || text[i] == ',')
            return false;
    return size > 0 && size < SERVER_CONFIG_PUSH_SIZE;
}
