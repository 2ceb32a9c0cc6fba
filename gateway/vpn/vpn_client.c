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
    struct config *profile;
    struct client *client;
    struct connection *connection;
    struct loop_timer timer;
    struct loop_timer waiting; /* time to say what for */
    struct burst control;      /* one control datagram */
    char *question;            /* or NULL */
    uint16_t told_mtu;         /* of the outer path */
    uint64_t told_refusals;
    enum client_state told;
    enum vpn_state told_vpn;
    uint64_t told_reconnects;
    bool held, retiring;
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

static bool path_changed(const struct vpn_client *c)
{
    const struct uplink *uplink = connection_uplink(c->connection);
    return uplink && uplink->mtu != c->told_mtu;
}

static bool was_refused(const struct vpn_client *c)
{
    const struct uplink *uplink = connection_uplink(c->connection);
    return uplink && uplink->refusals != c->told_refusals;
}

/* That the path is another, or refused, is seen while packets are sent, which
 * is no time to change the tunnel in. */
static void update_timer(struct vpn_client *c)
{
    struct instant deadline = client_deadline(c->client);
    if (path_changed(c) || was_refused(c))
        deadline = instant_earlier(deadline, loop_now(c->loop));
    loop_timer_set(&c->timer, c->held ? INSTANT_NEVER : deadline);
}

/* --- Performing what the client asks for --------------------------------- */

static void send_control(struct vpn_client *c, struct bytes datagram)
{
    static const struct burst_layout bare = {.block = 1};
    struct uplink *uplink = connection_uplink(c->connection);
    burst_reset(&c->control);
    struct datagram *d =
        burst_reserve(&c->control, &bare, (uint32_t)datagram.size);
    if (!d || !uplink)
        return;
    d->inner_size = 0; /* no qube's packet */
    memcpy(d->data, datagram.data, datagram.size);
    uplink->kind->send(uplink, &c->control);
}

static void set_question(struct vpn_client *c, const char *question)
{
    free(c->question);
    c->question = question ? strdup(question) : NULL;
}

static void perform(struct vpn_client *c, struct instant now,
                    const struct client_action *action)
{
    switch (action->type) {
    case CLIENT_ACTION_CONNECT:
        connection_start(c->connection, now, action->remote);
        break;
    case CLIENT_ACTION_SEND:
        send_control(c, action->bytes);
        break;
    case CLIENT_ACTION_DISCONNECT:
        connection_end(c->connection);
        break;
    case CLIENT_ACTION_UP:
        set_question(c, NULL);
        c->owner.up(c->owner.context, now, action->tunnel);
        break;
    case CLIENT_ACTION_DOWN:
        c->owner.down(c->owner.context, now);
        break;
    case CLIENT_ACTION_ASK:
        set_question(c, action->text);
        log_warn("tunnel: %s: %s: answer with `vpn-gateway login`",
                 vpn_state_name(VPN_STATE_WAITING_FOR_LOGIN), action->text);
        break;
    case CLIENT_ACTION_STOPPED:
        c->owner.down(c->owner.context, now);
        if (!c->retiring)
            c->owner.stopped(c->owner.context, now, action->text);
        break;
    }
}

static void pump(struct vpn_client *c, struct instant now)
{
    struct client_action action;
    struct client_status status;
    while (client_poll(c->client, &action))
        perform(c, now, &action);
    client_status(c->client, &status);
    /* Of a failure at once nothing is seen but that it was one more. */
    if (!c->retiring &&
        (status.state != c->told || status.vpn_state != c->told_vpn ||
         status.reconnects != c->told_reconnects)) {
        c->told = status.state;
        c->told_vpn = status.vpn_state;
        c->told_reconnects = status.reconnects;
        loop_timer_set(&c->waiting,
                       instant_after(now, duration_seconds(TELL_WAITING)));
        c->owner.state(c->owner.context, now, &status);
    }
    update_timer(c);
}

static void due(void *context, struct instant now)
{
    struct vpn_client *c = context;
    if (path_changed(c)) {
        c->told_mtu = connection_uplink(c->connection)->mtu;
        client_path_changed(c->client, now, c->told_mtu);
    }
    if (was_refused(c)) {
        c->told_refusals = connection_uplink(c->connection)->refusals;
        client_refused(c->client, now);
    }
    client_expire(c->client, now);
    pump(c, now);
}

static void waiting_due(void *context, struct instant now)
{
    const struct vpn_client *c = context;
    char text[CLIENT_WAITING_SIZE];
    if (vpn_client_waiting(c, now, text))
        log_warn("vpn: %s", text);
}

/* --- What the uplink says ------------------------------------------------ */

static void connected(void *context, struct instant now)
{
    struct vpn_client *c = context;
    const struct uplink *uplink = connection_uplink(c->connection);
    c->told_mtu = uplink->mtu;
    c->told_refusals = uplink->refusals;
    client_connected(c->client, now, uplink->overhead, uplink->mtu);
    pump(c, now);
}

static void failed(void *context, struct instant now, const char *why)
{
    struct vpn_client *c = context;
    client_failed(c->client, now, why);
    pump(c, now);
}

static void received(void *context, struct instant now, struct burst *burst)
{
    struct vpn_client *c = context;
    client_open(c->client, now, burst);
    c->owner.received(c->owner.context, now, burst);
    /* Last, because an action may close the uplink that owns the burst. */
    pump(c, now);
}

/* --- Packets ------------------------------------------------------------- */

struct burst_layout vpn_client_layout(const struct vpn_client *c)
{
    return client_layout(c->client);
}

void vpn_client_send(struct vpn_client *c, struct instant now,
                     struct burst *burst)
{
    struct uplink *uplink = connection_uplink(c->connection);
    if (burst->count > 0 && uplink && client_seal(c->client, now, burst))
        uplink->kind->send(uplink, burst);
    burst_reset(burst);
    update_timer(c);
}

/* --- Orders -------------------------------------------------------------- */

void vpn_client_start(struct vpn_client *c, struct instant now)
{
    client_start(c->client, now);
    pump(c, now);
}

void vpn_client_reconnect(struct vpn_client *c, struct instant now)
{
    client_reconnect(c->client, now);
    pump(c, now);
}

void vpn_client_end_pause(struct vpn_client *c, struct instant now)
{
    client_end_pause(c->client, now);
    pump(c, now);
}

void vpn_client_stop(struct vpn_client *c, struct instant now)
{
    client_stop(c->client, now);
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
    client_credentials(c->client, now, username, password, response);
    pump(c, now);
}

/* --- What is known of it ------------------------------------------------- */

void vpn_client_status(const struct vpn_client *c, struct client_status *out)
{
    client_status(c->client, out);
}

bool vpn_client_waiting(const struct vpn_client *c, struct instant now,
                        char out[CLIENT_WAITING_SIZE])
{
    return connection_waiting(c->connection, now, out) ||
           client_waiting(c->client, now, out);
}

const struct config *vpn_client_profile(const struct vpn_client *c)
{
    return c->profile;
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
    const struct drop_counters *past = connection_drops(c->connection);
    for (unsigned i = 0; i < DROP_COUNT; i++) {
        sum->count[i] += past->count[i];
        if (uplink)
            sum->count[i] += uplink->drops.count[i];
    }
}

/* --- Opening and closing ------------------------------------------------- */

struct vpn_client *vpn_client_new(struct loop *loop, struct config *profile,
                                  const struct vpn_client_owner *owner,
                                  char why[CLIENT_WHY_SIZE])
{
    snprintf(why, CLIENT_WHY_SIZE, "memory is short");
    struct vpn_client *c = calloc(1, sizeof *c);
    if (!c) {
        config_clear(profile);
        free(profile);
        return NULL;
    }
    c->loop = loop;
    c->owner = *owner;
    c->profile = profile;
    c->timer = (struct loop_timer){INSTANT_NEVER, due, c, NULL};
    c->waiting = (struct loop_timer){INSTANT_NEVER, waiting_due, c, NULL};
    loop_add_timer(loop, &c->timer);
    loop_add_timer(loop, &c->waiting);
    const struct uplink_owner uplinks = {c, connected, failed, received};
    if (burst_init(&c->control, UINT16_MAX))
        c->client = client_new(profile, &client_env, why);
    if (c->client)
        c->connection = connection_new(loop, c->client, &uplinks);
    if (c->connection)
        return c;
    vpn_client_free(c);
    return NULL;
}

void vpn_client_free(struct vpn_client *c)
{
    if (!c)
        return;
    connection_free(c->connection);
    client_free(c->client);
    config_clear(c->profile);
    free(c->profile);
    loop_remove_timer(c->loop, &c->timer);
    loop_remove_timer(c->loop, &c->waiting);
    burst_clear(&c->control);
    free(c->question);
    free(c);
}
