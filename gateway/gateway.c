#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "firewall/coalesce.h"
#include "firewall/segment.h"
#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/connection.h"
#include "gateway/control.h"
#include "gateway/event/loop.h"
#include "gateway/event/notify.h"
#include "gateway/event/signals.h"
#include "gateway/link/netback.h"
#include "gateway/link/pcap.h"
#include "gateway/link/tap.h"
#include "gateway/openvpn/client.h"
#include "gateway/randomness.h"
#include "gateway/router/router.h"
#include "gateway/status.h"

enum {
    OUT_BYTES = 128 * 1024, /* stays in the second-level cache */
    REPLIES = 64,
    REPLY_BYTES = PACKET_HEADROOM + 1280, /* an ICMPv6 error at its largest */
    INBOUND_PACKETS = 128,
};

struct gateway {
    const struct settings *settings;
    struct loop *loop;
    struct signals signals;
    bool signals_open;
    struct control *control;
    struct notify notify;
    bool notify_open;
    enum client_state told; /* to the service manager */

    struct client *client;
    struct loop_timer client_timer;
    struct connection *connection;
    char *question;

    struct router *router;
    struct loop_timer router_timer;
    struct tunnel tunnel;
    struct link *links[SETTINGS_DOWNSTREAMS_MAX];
    size_t link_count;
    struct link *link_of_qube[ROUTER_QUBES_MAX];

    struct pcap *pcap; /* or NULL */
    struct coalesce *coalesce;
    struct burst out;         /* sealed data on its way to the uplink */
    struct burst control_out; /* one control datagram */
    struct packet_batch replies;
    struct packet_batch inbound;
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

/* --- Packets ------------------------------------------------------------- */

/* What qubes send and get, in their own addresses. */
static void record(struct gateway *g, struct instant now,
                   const struct packet_batch *batch)
{
    for (size_t i = 0; g->pcap && i < batch->count; i++) {
        if (!batch->packets[i].drop)
            pcap_write(g->pcap, now, &batch->packets[i]);
    }
}

/* Hands runs of packets of one link to it. */
static void deliver(struct gateway *g, struct instant now,
                    struct packet_batch *batch)
{
    size_t i = 0;
    record(g, now, batch);
    while (i < batch->count) {
        struct packet *first = &batch->packets[i];
        struct link *link = first->drop ? NULL : g->link_of_qube[first->qube];
        size_t n = 1;
        while (link && i + n < batch->count && !first[n].drop &&
               g->link_of_qube[first[n].qube] == link)
            n++;
        if (link)
            link->kind->send(link, now, first, n);
        i += n;
    }
}

static void flush(struct gateway *g, struct instant now)
{
    struct uplink *uplink = connection_uplink(g->connection);
    if (g->out.count > 0 && uplink && client_seal(g->client, now, &g->out))
        uplink->kind->send(uplink, &g->out);
    burst_reset(&g->out);
}

static void cut(struct gateway *g, struct instant now,
                const struct packet *packet, const struct burst_layout *layout)
{
    struct segment_cursor cursor = {0};
    while (segment(packet, g->tunnel.mtu, layout, &cursor, &g->out) ==
           SEGMENT_FULL)
        flush(g, now);
}

static void update_timers(struct gateway *g)
{
    loop_timer_set(&g->client_timer, client_deadline(g->client));
    loop_timer_set(&g->router_timer, router_deadline(g->router));
}

static void from_link(void *context, struct instant now,
                      struct packet_batch *batch)
{
    struct gateway *g = context;

    record(g, now, batch);
    packet_batch_reset(&g->replies);
    router_from_qubes(g->router, now, batch, &g->replies);
    struct burst_layout layout = client_layout(g->client);
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->packets[i].drop)
            cut(g, now, &batch->packets[i], &layout);
    }
    flush(g, now);
    deliver(g, now, &g->replies);
    update_timers(g);
}

static void pump(struct gateway *g, struct instant now);

static void from_uplink(void *context, struct instant now, struct burst *burst)
{
    struct gateway *g = context;
    uint16_t next = 0;
    bool done;

    client_open(g->client, now, burst);
    do {
        packet_batch_reset(&g->inbound);
        done = coalesce(g->coalesce, burst, &next, &g->inbound);
        router_from_tunnel(g->router, now, &g->inbound);
        deliver(g, now, &g->inbound);
    } while (!done);
    /* Last, because an action may close the uplink that owns the burst. */
    pump(g, now);
}

/* --- Qubes --------------------------------------------------------------- */

static int qube_added(void *context, struct link *link, const char *name,
                      const struct address *ipv4, const struct address *ipv6)
{
    struct gateway *g = context;
    int qube = router_add_qube(g->router, loop_now(g->loop), name, ipv4, ipv6);
    if (qube >= 0)
        g->link_of_qube[qube] = link;
    return qube;
}

static void qube_removed(void *context, int qube)
{
    struct gateway *g = context;
    g->link_of_qube[qube] = NULL;
    router_remove_qube(g->router, qube);
}

/* --- Performing what the client asks for --------------------------------- */

static void uplink_connected(void *context, struct instant now)
{
    struct gateway *g = context;
    const struct uplink *uplink = connection_uplink(g->connection);
    client_connected(g->client, now, uplink->overhead, uplink->mtu);
    pump(g, now);
}

static void uplink_failed(void *context, struct instant now, const char *why)
{
    struct gateway *g = context;
    client_failed(g->client, now, why);
    pump(g, now);
}

static void send_control(struct gateway *g, struct bytes datagram)
{
    static const struct burst_layout bare = {.block = 1};
    struct uplink *uplink = connection_uplink(g->connection);
    burst_reset(&g->control_out);
    struct datagram *d =
        burst_reserve(&g->control_out, &bare, (uint32_t)datagram.size);
    if (!d || !uplink)
        return;
    d->inner_size = 0; /* no qube's packet */
    memcpy(d->data, datagram.data, datagram.size);
    uplink->kind->send(uplink, &g->control_out);
}

static void set_question(struct gateway *g, const char *question)
{
    free(g->question);
    g->question = question ? strdup(question) : NULL;
}

static void perform(struct gateway *g, struct instant now,
                    const struct client_action *action)
{
    switch (action->type) {
    case CLIENT_ACTION_CONNECT:
        connection_start(g->connection, now, action->remote);
        break;
    case CLIENT_ACTION_SEND:
        send_control(g, action->bytes);
        break;
    case CLIENT_ACTION_DISCONNECT:
        connection_end(g->connection);
        break;
    case CLIENT_ACTION_UP:
        set_question(g, NULL);
        g->tunnel = *action->tunnel;
        router_tunnel_up(g->router, now, &g->tunnel);
        break;
    case CLIENT_ACTION_DOWN:
        router_tunnel_down(g->router, now);
        break;
    case CLIENT_ACTION_ASK:
        set_question(g, action->text);
        log_warn("gateway: %s: answer with `vpn-gateway login`", action->text);
        break;
    case CLIENT_ACTION_STOPPED:
        router_tunnel_down(g->router, now);
        notify_stopping(&g->notify, action->text);
        loop_quit(g->loop);
        break;
    }
}

static void tell_service_manager(struct gateway *g)
{
    struct client_status status;
    char line[256];
    client_status(g->client, &status);
    if (status.state == g->told)
        return;
    g->told = status.state;
    snprintf(line, sizeof line, "tunnel %s%s%s",
             client_state_name(status.state),
             status.state != CLIENT_UP && status.last_error ? ": " : "",
             status.state != CLIENT_UP && status.last_error ? status.last_error
                                                            : "");
    notify_status(&g->notify, line);
}

static void pump(struct gateway *g, struct instant now)
{
    struct client_action action;
    while (client_poll(g->client, &action))
        perform(g, now, &action);
    tell_service_manager(g);
    update_timers(g);
}

static void client_due(void *context, struct instant now)
{
    struct gateway *g = context;
    client_expire(g->client, now);
    pump(g, now);
}

static void router_due(void *context, struct instant now)
{
    struct gateway *g = context;
    router_expire(g->router, now);
    update_timers(g);
}

/* --- Orders of the user -------------------------------------------------- */

static void stop(struct gateway *g, struct instant now)
{
    client_stop(g->client, now);
    pump(g, now);
}

static void reconnect(struct gateway *g, struct instant now)
{
    log_info("gateway: reconnecting, as asked");
    client_reconnect(g->client, now);
    pump(g, now);
}

static void signalled(void *context, struct instant now, int number)
{
    struct gateway *g = context;
    if (number == SIGUSR1 || number == SIGHUP)
        reconnect(g, now);
    else
        stop(g, now);
}

static json_t *report(struct gateway *g, struct instant now)
{
    return status_json(&(struct status_source){
        .now = now,
        .client = g->client,
        .router = g->router,
        .uplink = connection_uplink(g->connection),
        .uplink_drops = connection_drops(g->connection),
        .question = g->question,
        .links = g->links,
        .link_count = g->link_count,
    });
}

static json_t *log_in(struct gateway *g, struct instant now,
                      const json_t *request)
{
    const char *username =
        json_string_value(json_object_get(request, "username"));
    const char *password =
        json_string_value(json_object_get(request, "password"));
    if (!username || !password)
        return NULL;
    set_question(g, NULL);
    client_credentials(g->client, now, username, password,
                       json_string_value(json_object_get(request, "response")));
    pump(g, now);
    return json_object();
}

static json_t *ordered(void *context, struct instant now, const json_t *request)
{
    struct gateway *g = context;
    const char *command =
        json_string_value(json_object_get(request, "command"));
    if (!command)
        return NULL;
    if (strcmp(command, "status") == 0)
        return report(g, now);
    if (strcmp(command, "login") == 0)
        return log_in(g, now, request);
    if (strcmp(command, "reconnect") == 0)
        reconnect(g, now);
    else if (strcmp(command, "stop") == 0)
        stop(g, now);
    else
        return NULL;
    return json_object();
}

/* --- Opening and closing ------------------------------------------------- */

static struct link *open_tap(struct gateway *g, const struct downstream *d,
                             const struct link_owner *owner)
{
    struct tap_options options = {
        .interface = d->interface, .ipv4 = d->ipv4, .ipv6 = d->ipv6};
    enum error error;

    memcpy(options.mac, d->mac, sizeof options.mac);
    return tap_open(&options, g->loop, owner, &error);
}

static bool open_link(struct gateway *g, const struct downstream *d)
{
    const struct link_owner owner = {g, from_link, qube_added, qube_removed};
    struct link *link = NULL;
    enum error error;

    switch (d->kind) {
    case DOWNSTREAM_TAP:
        link = open_tap(g, d, &owner);
        break;
    case DOWNSTREAM_XEN:
        link = netback_open(NETBACK_KERNEL_MODULE, g->loop, &owner, &error);
        break;
    }
    if (!link)
        return false;
    g->links[g->link_count++] = link;
    return true;
}

static bool open_links(struct gateway *g)
{
    const struct settings *s = g->settings;
    bool udp_gso = true;
    for (size_t i = 0; i < s->downstream_count; i++) {
        if (!open_link(g, &s->downstreams[i]))
            return false;
        udp_gso = udp_gso && g->links[i]->takes_udp_gso;
    }
    coalesce_join_udp(g->coalesce, udp_gso);
    return true;
}

static bool open_record(struct gateway *g)
{
    enum error error;
    if (!g->settings->pcap)
        return true;
    g->pcap = pcap_open(g->settings->pcap, 0, g->loop, &error);
    return g->pcap != NULL;
}

static bool open_parts(struct gateway *g, const struct config *profile)
{
    struct router_options options = {
        .flows = ROUTER_FLOWS_DEFAULT,
        .accept_unruled = true, /* nothing but --qubesdb none is there yet */
    };
    const struct uplink_owner owner = {g, uplink_connected, uplink_failed,
                                       from_uplink};
    randomness_fill(NULL, options.seed, sizeof options.seed);
    g->loop = loop_new();
    g->router = router_new(&options);
    secret_wipe(options.seed, sizeof options.seed);
    g->coalesce = coalesce_new();
    if (!g->loop || !g->router || !g->coalesce ||
        !burst_init(&g->out, OUT_BYTES) ||
        !burst_init(&g->control_out, UINT16_MAX) ||
        !packet_batch_init(&g->replies, REPLIES, REPLY_BYTES) ||
        !packet_batch_init(&g->inbound, INBOUND_PACKETS, 0)) {
        log_error("gateway: out of memory");
        return false;
    }
    g->signals_open = signals_open(&g->signals, g->loop, signalled, g) == OK;
    g->client = client_new(profile, &client_env);
    if (!g->signals_open || !g->client)
        return false;
    g->connection = connection_new(g->loop, g->client, &owner);
    return g->connection != NULL;
}

struct gateway *gateway_new(const struct settings *settings,
                            const struct config *profile)
{
    struct gateway *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->settings = settings;
    g->client_timer = (struct loop_timer){INSTANT_NEVER, client_due, g, NULL};
    g->router_timer = (struct loop_timer){INSTANT_NEVER, router_due, g, NULL};
    if (!open_parts(g, profile))
        goto failed;
    loop_add_timer(g->loop, &g->client_timer);
    loop_add_timer(g->loop, &g->router_timer);
    if (!open_record(g) || !open_links(g))
        goto failed;
    g->control = control_open(settings->control, g->loop, ordered, g);
    if (!g->control)
        goto failed;
    notify_open(&g->notify, g->loop);
    g->notify_open = true;
    return g;
failed:
    gateway_free(g);
    return NULL;
}

enum error gateway_run(struct gateway *g)
{
    struct instant now = loop_now(g->loop);
    log_info("gateway: serving %zu link%s, blocked until the tunnel is up",
             g->link_count, g->link_count == 1 ? "" : "s");
    /* Ready before there is a tunnel: qubes may start, and are refused. */
    notify_ready(&g->notify, "tunnel idle");
    client_start(g->client, now);
    pump(g, now);
    return loop_run(g->loop);
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    if (g->notify_open)
        notify_close(&g->notify);
    control_close(g->control);
    for (size_t i = 0; i < g->link_count; i++)
        g->links[i]->kind->close(g->links[i]);
    connection_free(g->connection);
    if (g->signals_open)
        signals_close(&g->signals);
    client_free(g->client);
    router_free(g->router);
    coalesce_free(g->coalesce);
    pcap_close(g->pcap);
    burst_clear(&g->out);
    burst_clear(&g->control_out);
    packet_batch_clear(&g->replies);
    packet_batch_clear(&g->inbound);
    loop_free(g->loop);
    free(g->question);
    free(g);
}
