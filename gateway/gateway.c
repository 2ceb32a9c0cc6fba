#include "gateway/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "firewall/coalesce.h"
#include "firewall/segment.h"
#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/control.h"
#include "gateway/event/loop.h"
#include "gateway/event/notify.h"
#include "gateway/event/signals.h"
#include "gateway/link/netback.h"
#include "gateway/link/pcap.h"
#include "gateway/link/tap.h"
#include "gateway/order.h"
#include "gateway/randomness.h"
#include "gateway/router/router.h"
#include "gateway/status.h"
#include "gateway/vpn.h"

enum {
    OUT_BYTES = 128 * 1024, /* stays in the second-level cache */
    REPLIES = 64,
    REPLY_BYTES = PACKET_HEADROOM + 1500, /* the answer to a full-size ping */
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

    struct vpn *vpn;
    struct router *router;
    struct loop_timer router_timer;
    struct tunnel tunnel;
    struct link *links[SETTINGS_DOWNSTREAMS_MAX];
    size_t link_count;
    struct link *link_of_qube[ROUTER_QUBES_MAX];

    struct pcap *pcap; /* or NULL */
    struct coalesce *coalesce;
    struct burst out; /* on its way to the uplink */
    struct packet_batch replies;
    struct packet_batch inbound;
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

static void cut(struct gateway *g, struct instant now,
                const struct packet *packet, const struct burst_layout *layout)
{
    struct segment_cursor cursor = {0};
    while (segment(packet, g->tunnel.mtu, layout, &cursor, &g->out) ==
           SEGMENT_FULL)
        vpn_send(g->vpn, now, &g->out);
}

static void update_timer(struct gateway *g)
{
    loop_timer_set(&g->router_timer, router_deadline(g->router));
}

static void from_link(void *context, struct instant now,
                      struct packet_batch *batch)
{
    struct gateway *g = context;

    record(g, now, batch);
    packet_batch_reset(&g->replies);
    router_from_qubes(g->router, now, batch, &g->replies);
    struct burst_layout layout = vpn_layout(g->vpn);
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->packets[i].drop)
            cut(g, now, &batch->packets[i], &layout);
    }
    vpn_send(g->vpn, now, &g->out);
    deliver(g, now, &g->replies);
    update_timer(g);
}

static void from_tunnel(void *context, struct instant now, struct burst *burst)
{
    struct gateway *g = context;
    uint16_t next = 0;
    bool done;

    do {
        packet_batch_reset(&g->inbound);
        done = coalesce(g->coalesce, burst, &next, &g->inbound);
        router_from_tunnel(g->router, now, &g->inbound);
        deliver(g, now, &g->inbound);
    } while (!done);
    update_timer(g);
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

/* --- The tunnel ---------------------------------------------------------- */

static void tunnel_up(void *context, struct instant now,
                      const struct tunnel *tunnel)
{
    struct gateway *g = context;
    g->tunnel = *tunnel;
    router_tunnel_up(g->router, now, &g->tunnel);
    update_timer(g);
}

static void tunnel_down(void *context, struct instant now)
{
    struct gateway *g = context;
    router_tunnel_down(g->router, now);
    update_timer(g);
}

static void tunnel_state(void *context, const char *line)
{
    struct gateway *g = context;
    notify_status(&g->notify, line);
}

static void tunnel_stopped(void *context, const char *why)
{
    struct gateway *g = context;
    notify_stopping(&g->notify, why);
    loop_quit(g->loop);
}

static void router_due(void *context, struct instant now)
{
    struct gateway *g = context;
    struct burst_layout layout = vpn_layout(g->vpn);

    router_expire(g->router, now);
    packet_batch_reset(&g->replies);
    router_own_packets(g->router, now, &g->replies);
    for (size_t i = 0; i < g->replies.count; i++)
        cut(g, now, &g->replies.packets[i], &layout);
    vpn_send(g->vpn, now, &g->out);
    update_timer(g);
}

/* --- Orders of the user -------------------------------------------------- */

static void reconnect(struct gateway *g, struct instant now)
{
    log_info("gateway: reconnecting, as asked");
    vpn_reconnect(g->vpn, now);
}

static void signalled(void *context, struct instant now, int number)
{
    struct gateway *g = context;
    if (number == SIGUSR1 || number == SIGHUP)
        reconnect(g, now);
    else
        vpn_stop(g->vpn, now);
}

static json_t *report(struct gateway *g, struct instant now)
{
    return status_json(&(struct status_source){
        .now = now,
        .vpn = vpn_view(g->vpn),
        .router = g->router,
        .links = g->links,
        .link_count = g->link_count,
    });
}

static json_t *ordered(void *context, struct instant now, const json_t *request)
{
    struct gateway *g = context;
    struct order order;
    if (!order_parse(request, &order))
        return NULL;
    switch (order.type) {
    case ORDER_STATUS:
        return report(g, now);
    case ORDER_RECONNECT:
        reconnect(g, now);
        break;
    case ORDER_STOP:
        vpn_stop(g->vpn, now);
        break;
    case ORDER_LOGIN:
        vpn_log_in(g->vpn, now, order.username, order.password, order.response);
        break;
    }
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
    const struct vpn_owner owner = {
        .context = g,
        .up = tunnel_up,
        .down = tunnel_down,
        .received = from_tunnel,
        .state = tunnel_state,
        .stopped = tunnel_stopped,
    };
    randomness_fill(NULL, options.seed, sizeof options.seed);
    g->loop = loop_new();
    g->router = router_new(&options);
    secret_wipe(options.seed, sizeof options.seed);
    g->coalesce = coalesce_new();
    if (!g->loop || !g->router || !g->coalesce ||
        !burst_init(&g->out, OUT_BYTES) ||
        !packet_batch_init(&g->replies, REPLIES, REPLY_BYTES) ||
        !packet_batch_init(&g->inbound, INBOUND_PACKETS, 0)) {
        log_error("gateway: out of memory");
        return false;
    }
    g->signals_open = signals_open(&g->signals, g->loop, signalled, g) == OK;
    if (g->signals_open)
        g->vpn = vpn_new(g->loop, profile, &owner);
    return g->vpn != NULL;
}

struct gateway *gateway_new(const struct settings *settings,
                            const struct config *profile)
{
    struct gateway *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->settings = settings;
    g->router_timer = (struct loop_timer){INSTANT_NEVER, router_due, g, NULL};
    if (!open_parts(g, profile))
        goto failed;
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
    vpn_start(g->vpn, now);
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
    vpn_free(g->vpn);
    if (g->signals_open)
        signals_close(&g->signals);
    router_free(g->router);
    coalesce_free(g->coalesce);
    pcap_close(g->pcap);
    burst_clear(&g->out);
    packet_batch_clear(&g->replies);
    packet_batch_clear(&g->inbound);
    loop_free(g->loop);
    free(g);
}
