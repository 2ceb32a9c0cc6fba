#include "gateway/connection.h"

#include <stdlib.h>

#include "gateway/uplink/resolver.h"
#include "gateway/uplink/udp.h"

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

static void open_uplink(struct connection *c, struct instant now,
                        const struct address *address)
{
    struct endpoint server = {*address, c->remote->port};
    enum error error = OK;
    c->uplink = udp_open(&server, c->loop, &c->owner, &error);
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

void connection_start(struct connection *c, struct instant now,
                      const struct config_remote *remote)
{
    struct address address;
    connection_end(c);
    c->remote = remote;
    if (remote->protocol != CONFIG_UDP)
        fail(c, now, "TCP is not supported yet");
    else if (client_address(c->client, &address))
        open_uplink(c, now, &address);
    else
        resolver_ask(c->resolver, now, remote->host, remote->family, found, c);
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
