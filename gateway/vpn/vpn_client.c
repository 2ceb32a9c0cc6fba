#include "gateway/vpn/vpn_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/base/log.h"
#include "gateway/process/randomness.h"
#include "gateway/vpn/connection.h"

enum { TELL_WAITING = 5 /* s; once in the log */ };

struct vpn_client {
    struct loop *loop;
    struct vpn_client_owner owner;
    struct vpn_tunnel_owner tunnel;
    const struct protocol_kind *kind;
    struct protocol *protocol;
    struct connection *connection;
    struct loop_timer timer;
    struct loop_timer waiting;        /* time to say what for */
    struct burst control;             /* one control datagram */
    char *question;                   /* or NULL */
    uint16_t told_overhead, told_mtu; /* of the outer path */
    uint64_t told_refusals;
    enum vpn_state told; /* what the owner was told: */
    struct instant told_since;
    uint64_t told_reconnects, told_rounds;
    bool held, retiring;
};

/* --- The world, as the protocol sees it ---------------------------------- */

static int64_t wall_clock(void *context)
{
    struct timespec now;
    (void)context;
    (void)timespec_get(&now, TIME_UTC);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool path_changed(const struct vpn_client *c)
{
    const struct uplink *uplink = connection_uplink(c->connection);
    return uplink &&
           (uplink->mtu != c->told_mtu || uplink->overhead != c->told_overhead);
}

static bool was_refused(const struct vpn_client *c)
{
    const struct uplink *uplink = connection_uplink(c->connection);
    return uplink && uplink->refusals != c->told_refusals;
}

/* Sending shows that the path is another, or refused, but that is no time to
 * change the tunnel in; the actions that sealing has begun wait as well. */
static void update_timer(struct vpn_client *c)
{
    struct instant deadline = c->kind->deadline(c->protocol);
    if (path_changed(c) || was_refused(c))
        deadline = instant_earlier(deadline, loop_now(c->loop));
    loop_timer_set(&c->timer, c->held ? INSTANT_NEVER : deadline);
}

/* --- Performing what the protocol asks for ------------------------------- */

static void send_control(struct vpn_client *c,
                         const struct protocol_action *action)
{
    static const struct burst_layout bare = {.block = 1};
    struct uplink *uplink = connection_uplink(c->connection);
    burst_reset(&c->control);
    struct datagram *d =
        burst_reserve(&c->control, &bare, (uint32_t)action->bytes.size);
    if (!d || !uplink)
        return;
    d->inner_size = 0; /* no qube's packet */
    d->endpoint = action->endpoint;
    d->ecn = action->tos & 3;
    d->dscp = action->tos >> 2;
    memcpy(d->data, action->bytes.data, action->bytes.size);
    uplink->kind->send(uplink, &c->control);
}

static void set_question(struct vpn_client *c, const char *question)
{
    free(c->question);
    c->question = question ? strdup(question) : NULL;
}

static void up(const struct vpn_client *c, struct instant now,
               const struct tunnel *tunnel)
{
    char text[VPN_CLIENT_NO_ROUTE_SIZE];
    if (!tunnel_has_route(tunnel))
        log_warn("tunnel: %s", vpn_client_no_route(c, text));
    c->tunnel.up(c->tunnel.context, now, tunnel);
}

static void ask(struct vpn_client *c, const char *question)
{
    set_question(c, question);
    log_warn("tunnel: %s: %s: answer with `vpn-gateway login`",
             vpn_state_name(VPN_STATE_WAITING_FOR_LOGIN), question);
}

static void perform(struct vpn_client *c, struct instant now,
                    const struct protocol_action *action)
{
    switch (action->type) {
    case PROTOCOL_ACTION_RESOLVE:
        connection_resolve(c->connection, now, action->endpoint,
                           action->server);
        break;
    case PROTOCOL_ACTION_CONNECT:
        connection_start(c->connection, now, action->endpoint, action->server,
                         &action->to);
        break;
    case PROTOCOL_ACTION_AIM:
        connection_aim(c->connection, action->endpoint, &action->to);
        break;
    case PROTOCOL_ACTION_SEND:
        send_control(c, action);
        break;
    case PROTOCOL_ACTION_DISCONNECT:
        connection_end(c->connection);
        break;
    case PROTOCOL_ACTION_UP:
        set_question(c, NULL);
        up(c, now, action->tunnel);
        break;
    case PROTOCOL_ACTION_DOWN:
        c->tunnel.down(c->tunnel.context, now);
        break;
    case PROTOCOL_ACTION_ASK:
        ask(c, action->text);
        break;
    case PROTOCOL_ACTION_STOPPED:
        c->tunnel.down(c->tunnel.context, now);
        if (!c->retiring)
            c->owner.stopped(c->owner.context, now, action->text);
        break;
    }
}

/* A failure without a pause shows only as one attempt more. */
static void tell_state(struct vpn_client *c, struct instant now)
{
    struct protocol_status status;
    c->kind->status(c->protocol, &status);
    if (c->retiring ||
        (status.state == c->told && status.since.us == c->told_since.us &&
         status.reconnects == c->told_reconnects &&
         status.rounds == c->told_rounds))
        return;
    c->told = status.state;
    c->told_since = status.since;
    c->told_reconnects = status.reconnects;
    c->told_rounds = status.rounds;
    loop_timer_set(&c->waiting,
                   instant_after(now, duration_seconds(TELL_WAITING)));
    c->owner.state(c->owner.context, now, &status);
}

static void pump(struct vpn_client *c, struct instant now)
{
    struct protocol_action action;
    while (c->kind->poll(c->protocol, &action))
        perform(c, now, &action);
    tell_state(c, now);
    update_timer(c);
}

static void due(void *context, struct instant now)
{
    struct vpn_client *c = context;
    const struct uplink *uplink = connection_uplink(c->connection);
    if (path_changed(c)) {
        c->told_overhead = uplink->overhead;
        c->told_mtu = uplink->mtu;
        c->kind->path_changed(c->protocol, now, c->told_overhead, c->told_mtu);
    }
    if (was_refused(c)) {
        c->told_refusals = uplink->refusals;
        c->kind->refused(c->protocol, now, PROTOCOL_REFUSED_PORT);
    }
    c->kind->expire(c->protocol, now);
    pump(c, now);
}

static void waiting_due(void *context, struct instant now)
{
    const struct vpn_client *c = context;
    char text[PROTOCOL_WAITING_SIZE];
    if (vpn_client_waiting(c, now, text))
        log_warn("tunnel: %s", text);
}

/* --- What the connection says -------------------------------------------- */

static void resolved(void *context, struct instant now, unsigned endpoint,
                     const struct address *addresses, size_t count,
                     const char *why)
{
    struct vpn_client *c = context;
    c->kind->resolved(c->protocol, now, endpoint, addresses, count, why);
    pump(c, now);
}

static void connected(void *context, struct instant now)
{
    struct vpn_client *c = context;
    const struct uplink *uplink = connection_uplink(c->connection);
    c->told_overhead = uplink->overhead;
    c->told_mtu = uplink->mtu;
    c->told_refusals = uplink->refusals;
    c->owner.connected(c->owner.context, &uplink->server);
    c->kind->connected(c->protocol, now, uplink->overhead, uplink->mtu);
    pump(c, now);
}

static void failed(void *context, struct instant now, const char *why)
{
    struct vpn_client *c = context;
    c->kind->failed(c->protocol, now, why);
    pump(c, now);
}

static void received(void *context, struct instant now, struct burst *burst)
{
    struct vpn_client *c = context;
    c->kind->open(c->protocol, now, burst);
    c->tunnel.received(c->tunnel.packets, now, burst);
    /* Last, because an action may close the uplink that owns the burst. */
    pump(c, now);
}

/* --- Packets ------------------------------------------------------------- */

struct burst_layout vpn_client_layout(const struct vpn_client *c)
{
    return c->kind->layout(c->protocol);
}

void vpn_client_send(struct vpn_client *c, struct instant now,
                     struct burst *burst)
{
    struct uplink *uplink = connection_uplink(c->connection);
    if (burst->count > 0 && uplink && c->kind->seal(c->protocol, now, burst))
        uplink->kind->send(uplink, burst);
    burst_reset(burst);
    update_timer(c);
}

/* --- Orders -------------------------------------------------------------- */

void vpn_client_start(struct vpn_client *c, struct instant now)
{
    c->kind->start(c->protocol, now);
    pump(c, now);
}

void vpn_client_reconnect(struct vpn_client *c, struct instant now)
{
    c->kind->reconnect(c->protocol, now);
    pump(c, now);
}

void vpn_client_way_changed(struct vpn_client *c, struct instant now)
{
    c->kind->way_changed(c->protocol, now);
    pump(c, now);
}

void vpn_client_end_pause(struct vpn_client *c, struct instant now)
{
    c->kind->end_pause(c->protocol, now);
    pump(c, now);
}

void vpn_client_stop(struct vpn_client *c, struct instant now)
{
    c->kind->stop(c->protocol, now);
    pump(c, now);
}

void vpn_client_retire(struct vpn_client *c, struct instant now)
{
    c->retiring = true;
    vpn_client_stop(c, now);
}

void vpn_client_hold(struct vpn_client *c, bool hold)
{
    c->held = hold;
    update_timer(c);
}

void vpn_client_log_in(struct vpn_client *c, struct instant now,
                       const char *username, const char *password,
                       const char *response)
{
    set_question(c, NULL);
    c->kind->credentials(c->protocol, now, username, password, response);
    pump(c, now);
}

/* --- What is known of it ------------------------------------------------- */

void vpn_client_status(const struct vpn_client *c, struct protocol_status *out)
{
    c->kind->status(c->protocol, out);
}

bool vpn_client_waiting(const struct vpn_client *c, struct instant now,
                        char out[PROTOCOL_WAITING_SIZE])
{
    return connection_waiting(c->connection, now, out) ||
           c->kind->waiting(c->protocol, now, out);
}

const char *vpn_client_no_route(const struct vpn_client *c,
                                char out[VPN_CLIENT_NO_ROUTE_SIZE])
{
    const char *all = c->kind->takes_all;
    snprintf(out, VPN_CLIENT_NO_ROUTE_SIZE,
             "the server offers no route, so qubes reach nothing, or its own "
             "network at most%s%s%s",
             all ? ": " : "", all ? all : "",
             all ? " sends all through it" : "");
    return out;
}

const struct protocol_profile *vpn_client_profile(const struct vpn_client *c)
{
    return c->protocol->profile;
}

const char *vpn_client_question(const struct vpn_client *c)
{
    return c->question;
}

const struct uplink *vpn_client_uplink(const struct vpn_client *c)
{
    return connection_uplink(c->connection);
}

void vpn_client_add_drops(const struct vpn_client *c, struct drop_counters *sum)
{
    const struct uplink *uplink = connection_uplink(c->connection);
    drop_add(sum, connection_drops(c->connection));
    if (uplink)
        drop_add(sum, &uplink->drops);
}

/* --- Opening and closing ------------------------------------------------- */

static bool open_parts(struct vpn_client *c, struct protocol_profile *profile,
                       int64_t *stamp, char why[PROTOCOL_WHY_SIZE])
{
    const struct protocol_env env = {NULL, randomness_fill, wall_clock, stamp};
    const struct connection_owner connection = {
        .uplink = {c, connected, failed, received}, .resolved = resolved};
    c->protocol = c->kind->make(profile, &env, why);
    if (!c->protocol)
        return false;
    snprintf(why, PROTOCOL_WHY_SIZE, "memory is short");
    c->connection = connection_new(c->loop, &connection);
    return c->connection && burst_init(&c->control, UINT16_MAX);
}

struct vpn_client *vpn_client_new(struct loop *loop,
                                  struct protocol_profile *profile,
                                  int64_t *stamp,
                                  const struct vpn_client_owner *owner,
                                  const struct vpn_tunnel_owner *tunnel,
                                  char why[PROTOCOL_WHY_SIZE])
{
    snprintf(why, PROTOCOL_WHY_SIZE, "memory is short");
    struct vpn_client *c = calloc(1, sizeof *c);
    if (!c) {
        profile->kind->forget(profile);
        return NULL;
    }
    c->loop = loop;
    c->owner = *owner;
    c->tunnel = *tunnel;
    c->kind = profile->kind;
    c->timer = (struct loop_timer){INSTANT_NEVER, due, c, NULL};
    c->waiting = (struct loop_timer){INSTANT_NEVER, waiting_due, c, NULL};
    loop_add_timer(loop, &c->timer);
    loop_add_timer(loop, &c->waiting);
    if (open_parts(c, profile, stamp, why))
        return c;
    vpn_client_free(c);
    return NULL;
}

void vpn_client_free(struct vpn_client *c)
{
    if (!c)
        return;
    connection_free(c->connection);
    c->kind->free(c->protocol);
    loop_remove_timer(c->loop, &c->timer);
    loop_remove_timer(c->loop, &c->waiting);
    burst_clear(&c->control);
    free(c->question);
    free(c);
}
