#include "gateway/traffic.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/delivery.h"
#include "gateway/packet/coalesce.h"
#include "gateway/packet/segment.h"

enum {
    OUT_BYTES = 128 * 1024, /* stays in the second-level cache */
    REPLIES = 64,
    REPLY_BYTES = PACKET_HEADROOM + 2048, /* a ping's, but for its pieces */
    INBOUND_PACKETS = 128,
};

struct traffic {
    struct loop *loop;
    struct router *router;
    struct loop_timer timer; /* of the router */
    struct vpn *vpn;
    struct tunnel tunnel; /* as it was last up */
    struct delivery delivery;
    struct pcap *pcap; /* or NULL */
    struct coalesce *coalesce;
    struct burst out; /* on its way to the uplink */
    struct packet_batch replies;
    struct packet_batch inbound;
};

/* --- Both ways ----------------------------------------------------------- */

/* Writes down the qubes' packets, in their own addresses. */
static void record(struct traffic *t, struct instant now,
                   const struct packet_batch *batch)
{
    for (size_t i = 0; t->pcap && i < batch->count; i++) {
        if (!batch->packets[i].drop)
            pcap_write(t->pcap, now, &batch->packets[i]);
    }
}

static void deliver(struct traffic *t, struct instant now,
                    struct packet_batch *batch)
{
    record(t, now, batch);
    delivery_send(&t->delivery, now, t->router, batch);
}

static void cut(struct traffic *t, struct instant now,
                const struct packet *packet, const struct burst_layout *layout)
{
    struct segment_cursor cursor = {0};
    enum segment_result result;
    uint16_t mtu = tunnel_mtu(&t->tunnel, packet->ip.family);
    while ((result = segment(packet, mtu, layout, &cursor, &t->out)) ==
           SEGMENT_FULL)
        vpn_send(t->vpn, now, &t->out);
    if (result == SEGMENT_REFUSED)
        router_lost(t->router, packet, DROP_UNCUTTABLE);
}

/* Sends `replies` through the tunnel. */
static void send_own(struct traffic *t, struct instant now)
{
    struct burst_layout layout = vpn_layout(t->vpn);
    for (size_t i = 0; i < t->replies.count; i++)
        cut(t, now, &t->replies.packets[i], &layout);
    vpn_send(t->vpn, now, &t->out);
}

static void update_timer(struct traffic *t)
{
    loop_timer_set(&t->timer, router_deadline(t->router));
}

static void from_link(void *context, struct instant now,
                      struct packet_batch *batch)
{
    struct traffic *t = context;

    record(t, now, batch);
    packet_batch_reset(&t->replies);
    router_from_qubes(t->router, now, batch, &t->replies);
    struct burst_layout layout = vpn_layout(t->vpn);
    bool wanted = false;
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->packets[i].drop)
            cut(t, now, &batch->packets[i], &layout);
        wanted = wanted || batch->packets[i].drop == DROP_TUNNEL_DOWN;
    }
    if (wanted)
        vpn_wanted(t->vpn, now);
    vpn_send(t->vpn, now, &t->out);
    deliver(t, now, &t->replies);
    update_timer(t);
}

void traffic_from_tunnel(void *traffic, struct instant now, struct burst *burst)
{
    struct traffic *t = traffic;
    uint16_t next = 0;
    bool done;

    do {
        packet_batch_reset(&t->inbound);
        done = coalesce(t->coalesce, burst, &next, &t->inbound);
        packet_batch_reset(&t->replies);
        router_from_tunnel(t->router, now, &t->inbound, &t->replies);
        deliver(t, now, &t->inbound);
        send_own(t, now);
    } while (!done);
    update_timer(t);
}

static void router_due(void *context, struct instant now)
{
    struct traffic *t = context;

    router_expire(t->router, now);
    packet_batch_reset(&t->replies);
    router_own_packets(t->router, now, &t->replies);
    send_own(t, now);
    update_timer(t);
}

/* --- Qubes --------------------------------------------------------------- */

static struct qube *qube_added(void *context, struct link_port *port,
                               const char *name, const struct address *ipv4,
                               const struct address *ipv6)
{
    struct traffic *t = context;
    struct qube *qube =
        router_add_qube(t->router, loop_now(t->loop), name, ipv4, ipv6);
    if (qube)
        delivery_connect(qube, port);
    return qube;
}

static void qube_removed(void *context, struct qube *qube)
{
    struct traffic *t = context;
    router_remove_qube(t->router, qube);
}

/* --- The tunnel ---------------------------------------------------------- */

static void reset_flows(struct traffic *t, struct instant now)
{
    bool done;
    do {
        packet_batch_reset(&t->replies);
        done = router_reset_flows(t->router, now, &t->tunnel, &t->replies);
        deliver(t, now, &t->replies);
    } while (!done);
}

void traffic_tunnel_up(struct traffic *t, struct instant now,
                       const struct tunnel *tunnel)
{
    t->tunnel = *tunnel;
    reset_flows(t, now);
    router_tunnel_up(t->router, now, &t->tunnel);
    update_timer(t);
}

void traffic_tunnel_down(struct traffic *t, struct instant now)
{
    router_tunnel_down(t->router, now);
    update_timer(t);
}

void traffic_router_changed(struct traffic *t)
{
    update_timer(t);
}

/* --- Opening and closing ------------------------------------------------- */

struct traffic *traffic_new(struct loop *loop, struct router *router)
{
    struct traffic *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->loop = loop;
    t->router = router;
    t->timer = (struct loop_timer){INSTANT_NEVER, router_due, t, NULL};
    loop_add_timer(loop, &t->timer);
    t->coalesce = coalesce_new();
    if (t->coalesce && burst_init(&t->out, OUT_BYTES) &&
        delivery_init(&t->delivery) &&
        packet_batch_init(&t->replies, REPLIES, REPLY_BYTES) &&
        packet_batch_init(&t->inbound, INBOUND_PACKETS, 0))
        return t;
    traffic_free(t);
    return NULL;
}

void traffic_free(struct traffic *t)
{
    if (!t)
        return;
    loop_remove_timer(t->loop, &t->timer);
    coalesce_free(t->coalesce);
    burst_clear(&t->out);
    delivery_clear(&t->delivery);
    packet_batch_clear(&t->replies);
    packet_batch_clear(&t->inbound);
    free(t);
}

void traffic_set_vpn(struct traffic *t, struct vpn *vpn)
{
    t->vpn = vpn;
}

void traffic_set_record(struct traffic *t, struct pcap *pcap)
{
    t->pcap = pcap;
}

void traffic_join_udp(struct traffic *t, bool join)
{
    coalesce_join_udp(t->coalesce, join);
}

struct link_owner traffic_owner(struct traffic *t)
{
    return (struct link_owner){t, from_link, qube_added, qube_removed};
}
