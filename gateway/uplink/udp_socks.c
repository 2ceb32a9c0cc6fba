#include "gateway/uplink/udp_socks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/uplink/dial.h"
#include "gateway/uplink/udp.h"

static_assert((int)UDP_HEADER_MAX >= (int)PROXY_SOCKS_HEADER_MAX,
              "the longest name fits");

struct udp_socks {
    struct uplink uplink; /* first */
    struct loop *loop;
    struct loop_watch watch; /* the connection that holds the relay open */
    struct uplink_owner owner;
    struct dial dial;
    struct uplink *relay; /* NULL before it is known */
    /* The header in front of what we send, and of what we get if it is an
     * address. */
    size_t header_size;
    uint8_t header[PROXY_SOCKS_HEADER_MAX];
    struct endpoint server; /* family NONE: only the proxy knows it */
};

static_assert(offsetof(struct udp_socks, uplink) == 0,
              "an uplink is its start");

static struct udp_socks *socks_of(struct uplink *uplink)
{
    return (struct udp_socks *)uplink;
}

static void fail(struct udp_socks *s, struct instant now, const char *why)
{
    s->owner.failed(s->owner.context, now, why);
}

static void show_drops(struct udp_socks *s)
{
    struct drop_counters *own = &s->uplink.drops;
    uint64_t strangers = own->count[DROP_NOT_FROM_SERVER];
    *own = s->relay->drops;
    own->count[DROP_NOT_FROM_SERVER] = strangers;
}

/* --- Packets ------------------------------------------------------------- */

static void socks_send(struct uplink *uplink, struct burst *burst)
{
    struct udp_socks *s = socks_of(uplink);
    if (s->relay) {
        s->relay->kind->send(s->relay, burst);
        s->uplink.mtu = s->relay->mtu;
        show_drops(s);
        return;
    }
    for (uint16_t i = 0; i < burst->count; i++) {
        burst->datagrams[i].drop = DROP_UPLINK_ERROR;
        drop_count(&uplink->drops, DROP_UPLINK_ERROR);
    }
}

/* From the server, as far as the relay's word and our knowledge go; whoever
 * sends to the relay's port is relayed by some. */
static bool unwrap(const struct udp_socks *s, struct datagram *d)
{
    struct endpoint source;
    struct bytes payload;
    if (!proxy_socks_parse(bytes_of(d->data, d->size), &source, &payload) ||
        (address_is_set(&s->server.address) &&
         address_is_set(&source.address) &&
         !endpoint_equal(&source, &s->server)))
        return false;
    d->data += d->size - payload.size;
    d->size = (uint16_t)payload.size;
    return true;
}

static void relay_received(void *context, struct instant now,
                           struct burst *burst)
{
    struct udp_socks *s = context;
    uint16_t kept = 0;
    show_drops(s);
    for (uint16_t i = 0; i < burst->count; i++) {
        struct datagram d = burst->datagrams[i];
        if (unwrap(s, &d))
            burst->datagrams[kept++] = d;
        else
            drop_count(&s->uplink.drops, DROP_NOT_FROM_SERVER);
    }
    burst->count = kept;
    if (kept)
        s->owner.received(s->owner.context, now, burst);
}

static void relay_connected(void *context, struct instant now)
{
    struct udp_socks *s = context;
    s->owner.connected(s->owner.context, now);
}

static void relay_failed(void *context, struct instant now, const char *why)
{
    fail(context, now, why);
}

/* --- The connection to the proxy ----------------------------------------- */

static void hang_up(struct udp_socks *s)
{
    if (s->watch.fd < 0)
        return;
    loop_remove(s->loop, &s->watch);
    close(s->watch.fd);
    s->watch.fd = -1;
}

/* Nothing more is to come; its end is the relay's (RFC 1928 section 7). */
static void proxy_ready(void *context, struct instant now, unsigned events)
{
    struct udp_socks *s = context;
    uint8_t nothing[64];
    (void)events;
    ssize_t n = recv(s->watch.fd, nothing, sizeof nothing, MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    const char *why =
        n < 0 ? strerror(errno) : "the SOCKS proxy closed the connection";
    hang_up(s);
    fail(s, now, why);
}

/* A relay that names no address of its own is at the proxy's. */
static struct endpoint relay_of(const struct udp_socks *s)
{
    static const struct address nowhere[] = {{.family = ADDRESS_IPV4},
                                             {.family = ADDRESS_IPV6}};
    struct endpoint relay = s->dial.socks.bound;
    if (!address_is_set(&relay.address) ||
        address_equal(&relay.address, &nowhere[0]) ||
        address_equal(&relay.address, &nowhere[1]))
        relay.address = s->uplink.server.address;
    return relay;
}

static void dialled(void *context, struct instant now, struct bytes rest)
{
    struct udp_socks *s = context;
    const struct uplink_owner relay_owner = {s, relay_connected, relay_failed,
                                             relay_received};
    struct endpoint relay = relay_of(s);
    enum error error = OK;
    (void)rest;
    s->watch.fd = dial_take(&s->dial);
    dial_close(&s->dial);
    if (loop_add(s->loop, &s->watch, LOOP_READ) != OK) {
        close(s->watch.fd);
        s->watch.fd = -1;
        fail(s, now, "the event loop takes no more");
        return;
    }
    s->relay = udp_open_with_header(&relay, bytes_of(s->header, s->header_size),
                                    s->loop, &relay_owner, &error);
    if (!s->relay) {
        fail(s, now, "there is no way to the SOCKS proxy's relay");
        return;
    }
    s->uplink.overhead = s->relay->overhead;
    s->uplink.mtu = s->relay->mtu;
}

static void dial_failed(void *context, struct instant now, const char *why)
{
    fail(context, now, why);
}

/* --- Open and close ------------------------------------------------------ */

static void socks_close(struct uplink *uplink)
{
    struct udp_socks *s = socks_of(uplink);
    if (s->relay)
        s->relay->kind->close(s->relay);
    hang_up(s);
    dial_close(&s->dial);
    free(s);
}

static const struct uplink_kind kind = {
    .name = "udp through SOCKS",
    .send = socks_send,
    .close = socks_close,
};

static struct udp_socks *socks_new(const struct endpoint *peer,
                                   const struct proxy *proxy, struct loop *loop,
                                   const struct uplink_owner *owner)
{
    struct udp_socks *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->uplink.kind = &kind;
    s->uplink.server = *peer;
    s->loop = loop;
    s->watch = (struct loop_watch){-1, proxy_ready, s};
    s->owner = *owner;
    s->header_size = proxy_socks_header(proxy, s->header);
    s->server.port = proxy->port;
    if (!address_parse(bytes_of_text(proxy->host), &s->server.address))
        s->server.address = (struct address){.family = ADDRESS_NONE};
    return s;
}

struct uplink *udp_socks_open(const struct endpoint *peer,
                              const struct proxy *proxy, struct loop *loop,
                              const struct uplink_owner *owner,
                              enum error *error)
{
    struct udp_socks *s = socks_new(peer, proxy, loop, owner);
    if (!s) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    const struct dial_owner dial_owner = {s, dialled, dial_failed};
    if (s->header_size == 0) {
        log_warn("udp: the server's name is too long for a SOCKS proxy");
        *error = ERROR_INVALID;
    } else {
        *error = dial_open(&s->dial, peer, proxy, PROXY_SOCKS_UDP_ASSOCIATE,
                           loop, &dial_owner);
    }
    if (*error == OK)
        return &s->uplink;
    free(s);
    return NULL;
}
