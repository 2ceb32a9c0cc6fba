#include "gateway/vpn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/base/log.h"
#include "gateway/connection.h"
#include "gateway/randomness.h"

struct vpn {
    struct loop *loop;
    struct vpn_owner owner;
    struct client *client;
    struct loop_timer timer;
    struct connection *connection;
    struct burst control; /* one control datagram */
    char *question;
    enum client_state told; /* to the service manager */
};

/* --- The world, as the client sees it ------------------------------------ */

static uint32_t unix_time(void *context)
{
    (void)context;
    return (uint32_t)time(NULL);
}

static const struct client_env client_env = {
    .random = randomness_fill,
    .unix_time = unix_time,
};

static void update_timer(struct vpn *v)
{
    loop_timer_set(&v->timer, client_deadline(v->client));
}

/* --- Performing what the client asks for --------------------------------- */

static void send_control(struct vpn *v, struct bytes datagram)
{
    static const struct burst_layout bare = {.block = 1};
    struct uplink *uplink = connection_uplink(v->connection);
    burst_reset(&v->control);
    struct datagram *d =
        burst_reserve(&v->control, &bare, (uint32_t)datagram.size);
    if (!d || !uplink)
        return;
    d->inner_size = 0; /* no qube's packet */
    memcpy(d->data, datagram.data, datagram.size);
    uplink->kind->send(uplink, &v->control);
}

static void set_question(struct vpn *v, const char *question)
{
    free(v->question);
    v->question = question ? strdup(question) : NULL;
}

static void perform(struct vpn *v, struct instant now,
                    const struct client_action *action)
{
    switch (action->type) {
    case CLIENT_ACTION_CONNECT:
        connection_start(v->connection, now, action->remote);
        break;
    case CLIENT_ACTION_SEND:
        send_control(v, action->bytes);
        break;
    case CLIENT_ACTION_DISCONNECT:
        connection_end(v->connection);
        break;
    case CLIENT_ACTION_UP:
        set_question(v, NULL);
        v->owner.up(v->owner.context, now, action->tunnel);
        break;
    case CLIENT_ACTION_DOWN:
        v->owner.down(v->owner.context, now);
        break;
    case CLIENT_ACTION_ASK:
        set_question(v, action->text);
        log_warn("vpn: %s: answer with `vpn-gateway login`", action->text);
        break;
    case CLIENT_ACTION_STOPPED:
        v->owner.down(v->owner.context, now);
        v->owner.stopped(v->owner.context, action->text);
        break;
    }
}

static void tell_state(struct vpn *v)
{
    struct client_status status;
    char line[256];
    client_status(v->client, &status);
    if (status.state == v->told)
        return;
    v->told = status.state;
    const char *why = status.state == CLIENT_UP ? NULL : status.last_error;
    snprintf(line, sizeof line, "tunnel %s%s%s",
             client_state_name(status.state), why ? ": " : "", why ? why : "");
    v->owner.state(v->owner.context, line);
}

static void pump(struct vpn *v, struct instant now)
{
    struct client_action action;
    while (client_poll(v->client, &action))
        perform(v, now, &action);
    tell_state(v);
    update_timer(v);
}

static void due(void *context, struct instant now)
{
    struct vpn *v = context;
    client_expire(v->client, now);
    pump(v, now);
}

/* --- What the uplink says ------------------------------------------------ */

static void connected(void *context, struct instant now)
{
    struct vpn *v = context;
    const struct uplink *uplink = connection_uplink(v->connection);
    client_connected(v->client, now, uplink->overhead, uplink->mtu);
    pump(v, now);
}

static void failed(void *context, struct instant now, const char *why)
{
    struct vpn *v = context;
    client_failed(v->client, now, why);
    pump(v, now);
}

static void received(void *context, struct instant now, struct burst *burst)
{
    struct vpn *v = context;
    client_open(v->client, now, burst);
    v->owner.received(v->owner.context, now, burst);
    /* Last, because an action may close the uplink that owns the burst. */
    pump(v, now);
}

/* --- Packets ------------------------------------------------------------- */

struct burst_layout vpn_layout(const struct vpn *v)
{
    return client_layout(v->client);
}

void vpn_send(struct vpn *v, struct instant now, struct burst *burst)
{
    struct uplink *uplink = connection_uplink(v->connection);
    if (burst->count > 0 && uplink && client_seal(v->client, now, burst))
        uplink->kind->send(uplink, burst);
    burst_reset(burst);
    update_timer(v);
}

/* --- Orders of the user -------------------------------------------------- */

void vpn_start(struct vpn *v, struct instant now)
{
    client_start(v->client, now);
    pump(v, now);
}

void vpn_reconnect(struct vpn *v, struct instant now)
{
    client_reconnect(v->client, now);
    pump(v, now);
}

void vpn_stop(struct vpn *v, struct instant now)
{
    client_stop(v->client, now);
    pump(v, now);
}

void vpn_log_in(struct vpn *v, struct instant now, const char *username,
                const char *password, const char *response)
{
    set_question(v, NULL);
    client_credentials(v->client, now, username, password, response);
    pump(v, now);
}

struct vpn_view vpn_view(const struct vpn *v)
{
    return (struct vpn_view){
        .client = v->client,
        .uplink = connection_uplink(v->connection),
        .uplink_drops = connection_drops(v->connection),
        .question = v->question,
    };
}

/* --- Opening and closing ------------------------------------------------- */

struct vpn *vpn_new(struct loop *loop, const struct config *profile,
                    const struct vpn_owner *owner)
{
    struct vpn *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->loop = loop;
    v->owner = *owner;
    v->timer = (struct loop_timer){INSTANT_NEVER, due, v, NULL};
    loop_add_timer(loop, &v->timer);
    const struct uplink_owner uplinks = {v, connected, failed, received};
    if (burst_init(&v->control, UINT16_MAX))
        v->client = client_new(profile, &client_env);
    if (v->client)
        v->connection = connection_new(loop, v->client, &uplinks);
    if (v->connection)
        return v;
    vpn_free(v);
    return NULL;
}

void vpn_free(struct vpn *v)
{
    if (!v)
        return;
    connection_free(v->connection);
    client_free(v->client);
    loop_remove_timer(v->loop, &v->timer);
    burst_clear(&v->control);
    free(v->question);
    free(v);
}
