#include "gateway/vpn/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/uplink/resolver.h"
#include "gateway/uplink/tcp.h"
#include "gateway/uplink/udp.h"
#include "gateway/uplink/udp_socks.h"

static_assert((int)PROTOCOL_WAITING_SIZE == (int)RESOLVER_WAITING_SIZE,
              "one is given to the other");

enum { LINE_SIZE = 512 };

/* A name to look up for an endpoint. */
struct question {
    bool open;
    enum address_family family;
    char host[PROTOCOL_HOST_SIZE];
};

struct connection {
    struct loop *loop;
    struct connection_owner owner;
    struct resolver *resolver; /* takes one question at a time */
    bool asking;
    unsigned asked; /* the endpoint then */
    struct question questions[PROTOCOL_ENDPOINTS_MAX];
    struct uplink *uplink;
    struct drop_counters drops; /* of uplinks gone by */
};

/* --- Names --------------------------------------------------------------- */

static void ask_next(struct connection *c, struct instant now);

static void log_addresses(const char *host, const struct address *addresses,
                          size_t count)
{
    char line[LINE_SIZE], text[ADDRESS_TEXT_SIZE];
    struct writer w = writer_of(line, sizeof line - 1);
    for (size_t i = 0; i < count; i++)
        text_write(&w, "%s%s", i ? ", " : "",
                   address_format(&addresses[i], text));
    line[writer_bytes(&w).size] = '\0';
    if (count > 0 && strcmp(host, line) != 0)
        log_debug("tunnel: %s is at %s", host, line);
}

static void found(void *context, struct instant now,
                  const struct address *addresses, size_t count,
                  const char *why)
{
    struct connection *c = context;
    c->asking = false;
    c->questions[c->asked].open = false;
    log_addresses(c->questions[c->asked].host, addresses, count);
    c->owner.resolved(c->owner.uplink.context, now, c->asked, addresses, count,
                      why);
    ask_next(c, now);
}

static void ask_next(struct connection *c, struct instant now)
{
    for (unsigned i = 0; i < PROTOCOL_ENDPOINTS_MAX && !c->asking; i++) {
        const struct question *q = &c->questions[i];
        if (!q->open)
            continue;
        c->asking = true;
        c->asked = i;
        resolver_ask(c->resolver, now, q->host, q->family, found, c);
    }
}

/* A proxy looks for the server itself: of that name not even a question leaves
 * us. */
void connection_resolve(struct connection *c, struct instant now,
                        unsigned endpoint, const struct protocol_server *server)
{
    assert(endpoint < PROTOCOL_ENDPOINTS_MAX);
    struct question *q = &c->questions[endpoint];
    bool direct = server->proxy.kind == PROTOCOL_PROXY_NONE;
    const char *host = direct ? server->host : server->proxy.host;
    *q = (struct question){.open = true, .family = server->family};
    assert(strlen(host) < sizeof q->host);
    strcpy(q->host, host);
    if (c->asking && c->asked == endpoint) {
        resolver_cancel(c->resolver);
        c->asking = false;
    }
    ask_next(c, now);
}

/* --- The uplink ---------------------------------------------------------- */

static struct proxy proxy_of(const struct protocol_server *server)
{
    static const enum proxy_kind kinds[] = {
        [PROTOCOL_PROXY_NONE] = PROXY_NONE,
        [PROTOCOL_PROXY_HTTP] = PROXY_HTTP,
        [PROTOCOL_PROXY_SOCKS] = PROXY_SOCKS,
    };
    return (struct proxy){
        .kind = kinds[server->proxy.kind],
        .host = server->host,
        .port = server->port,
        .username = server->proxy.username,
        .password = server->proxy.password,
        .headers = server->proxy.headers,
        .http_1_1 = server->proxy.http_1_1,
    };
}

static void close_uplink(struct connection *c)
{
    if (!c->uplink)
        return;
    drop_add(&c->drops, &c->uplink->drops);
    c->uplink->kind->close(c->uplink);
    c->uplink = NULL;
}

void connection_start(struct connection *c, struct instant now,
                      unsigned endpoint, const struct protocol_server *server,
                      const struct endpoint *to)
{
    struct proxy proxy = proxy_of(server);
    bool direct = proxy.kind == PROXY_NONE;
    const struct uplink_owner *owner = &c->owner.uplink;
    enum error error = OK;
    close_uplink(c);
    if (server->transport == PROTOCOL_TCP)
        c->uplink =
            tcp_open(to, direct ? NULL : &proxy, c->loop, owner, &error);
    else if (direct && server->moves)
        c->uplink = udp_open_unconnected(endpoint, to, c->loop, owner, &error);
    else if (direct)
        c->uplink = udp_open(to, c->loop, owner, &error);
    else
        c->uplink = udp_socks_open(to, &proxy, c->loop, owner, &error);
    if (!c->uplink)
        owner->failed(owner->context, now, error_text(error));
}

void connection_aim(struct connection *c, unsigned endpoint,
                    const struct endpoint *to)
{
    if (c->uplink && c->uplink->kind->aim)
        c->uplink->kind->aim(c->uplink, endpoint, to);
}

void connection_end(struct connection *c)
{
    resolver_cancel(c->resolver);
    c->asking = false;
    for (size_t i = 0; i < PROTOCOL_ENDPOINTS_MAX; i++)
        c->questions[i].open = false;
    close_uplink(c);
}

/* --- What is known of it ------------------------------------------------- */

bool connection_waiting(const struct connection *c, struct instant now,
                        char out[PROTOCOL_WAITING_SIZE])
{
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

/* --- Opening and closing ------------------------------------------------- */

struct connection *connection_new(struct loop *loop,
                                  const struct connection_owner *owner)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->loop = loop;
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
