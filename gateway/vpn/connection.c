#include "gateway/vpn/connection.h"

#include <stdlib.h>

#include "gateway/uplink/resolver.h"
#include "gateway/uplink/tcp.h"
#include "gateway/uplink/udp.h"
#include "gateway/uplink/udp_socks.h"

struct connection {
    struct loop *loop;
    struct client *client;
    struct uplink_owner owner;
    struct resolver *resolver;
    const struct config_remote *remote; /* of the last CONNECT */
    struct uplink *uplink;
    struct drop_counters drops; /* of uplinks gone by */
};

static void fail(struct connection *c, struct instant now, const char *why)
{
    c->owner.failed(c->owner.context, now, why);
}

static struct proxy proxy_of(const struct config_remote *remote)
{
    static const enum proxy_kind kinds[] = {
        [CONFIG_PROXY_NONE] = PROXY_NONE,
        [CONFIG_PROXY_HTTP] = PROXY_HTTP,
        [CONFIG_PROXY_SOCKS] = PROXY_SOCKS,
    };
    return (struct proxy){
        .kind = kinds[remote->proxy.kind],
        .host = remote->host,
        .port = remote->port,
        .username = remote->proxy.username,
        .password = remote->proxy.password,
        .headers = remote->proxy.headers,
        .http_1_1 = remote->proxy.http_1_1,
    };
}

static void open_uplink(struct connection *c, struct instant now,
                        const struct address *address)
{
    const struct config_remote *r = c->remote;
    struct proxy proxy = proxy_of(r);
    bool direct = proxy.kind == PROXY_NONE;
    struct endpoint peer = {*address, direct ? r->port : r->proxy.port};
    enum error error = OK;
    if (r->protocol == CONFIG_TCP)
        c->uplink =
            tcp_open(&peer, direct ? NULL : &proxy, c->loop, &c->owner, &error);
    else if (direct)
        c->uplink = (r->floating ? udp_open_floating
                                 : udp_open)(&peer, c->loop, &c->owner, &error);
    else
        c->uplink = udp_socks_open(&peer, &proxy, c->loop, &c->owner, &error);
    if (!c->uplink)
        fail(c, now, error_text(error));
}

static void found(void *context, struct instant now,
                  const struct address *addresses, size_t count,
                  const char *why)
{
    struct connection *c = context;
    struct address address;
    client_resolved(c->client, now, addresses, count);
    if (client_address(c->client, &address))
        open_uplink(c, now, &address);
    else
        fail(c, now, why ? why : "no address of the protocol's family");
}

/* A proxy looks for the server itself: of that name not even a question leaves
 * us. */
void connection_start(struct connection *c, struct instant now,
                      const struct config_remote *remote)
{
    struct address address;
    bool direct = remote->proxy.kind == CONFIG_PROXY_NONE;
    connection_end(c);
    c->remote = remote;
    if (client_address(c->client, &address))
        open_uplink(c, now, &address);
    else
        resolver_ask(c->resolver, now,
                     direct ? remote->host : remote->proxy.host, remote->family,
                     found, c);
}

void connection_end(struct connection *c)
{
    resolver_cancel(c->resolver);
    if (!c->uplink)
        return;
    for (unsigned i = 0; i < DROP_COUNT; i++)
        c->drops.count[i] += c->uplink->drops.count[i];
    c->uplink->kind->close(c->uplink);
    c->uplink = NULL;
}

bool connection_waiting(const struct connection *c, struct instant now,
                        char out[CLIENT_WAITING_SIZE])
{
    _Static_assert((int)CLIENT_WAITING_SIZE == (int)RESOLVER_WAITING_SIZE,
                   "one is given to the other");
    return resolver_waiting(c->resolver, now, out);
}

struct uplink *connection_uplink(const struct connection *c)
{
    return c->uplink;
}

const struct drop_counters *connection_drops(const struct connection *c)
{
    return &c->drops;
}

struct connection *connection_new(struct loop *loop, struct client *client,
                                  const struct uplink_owner *owner)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->loop = loop;
    c->client = client;
    c->owner = *owner;
    c->resolver = resolver_new(loop);
    if (c->resolver)
        return c;
    free(c);
    return NULL;
}

void connection_free(struct connection *c)
{
    if (!c)
        return;
    connection_end(c);
    resolver_free(c->resolver);
    free(c);
}
