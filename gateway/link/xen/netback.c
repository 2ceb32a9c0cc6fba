#include "gateway/link/xen/netback.h"

#include "gateway/base/log.h"
#include "gateway/link/frame.h"
#include "gateway/link/xen/grant.h"
#include "gateway/link/xen/vif_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    VIF_COST_MAX = 256 * 1024,   /* of a vif in a turn of its own */
    TURN_COST_MAX = 1024 * 1024, /* of all vifs in a turn of the loop */

    /* Events that mean nothing: the port stays masked longer each time. */
    IDLE_EVENTS_MAX = 8,
    IDLE_SHIFT_MAX = 5, /* 1 ms to 32 ms */

    POLL_PERIOD_MS = 30, /* of frontends that do not tell of new pages */
};

struct netback {
    struct link link; /* first */
    struct loop *loop;
    struct link_owner owner;
    struct xenstore *xenstore;
    struct vif_host host;
    struct vif_table table;

    struct vif *first_pending, **last_pending;
    struct loop_watch again; /* readable while vifs have work left */
    bool again_set;
    struct loop_timer timer;

    struct netback_transmit_batch transmit_batch;
    struct netback_receive_batch receive_batch;
    struct packet_batch batch; /* views into the transmit batch */
};

static_assert(offsetof(struct netback, link) == 0, "a link is its start");
static_assert(offsetof(struct vif, port) == 0, "a port is its vif's start");

static struct netback *netback_of(struct link *link)
{
    return (struct netback *)link;
}

static void drop(struct netback *n, enum drop reason)
{
    drop_count(&n->link.drops, reason);
}

static void wake_at(struct netback *n, struct instant when)
{
    loop_timer_set(&n->timer, instant_earlier(n->timer.deadline, when));
}

/* --- Who has work -------------------------------------------------------- */

static void add_pending(struct netback *n, struct vif *vif)
{
    if (vif->service.pending)
        return;
    vif->service.pending = true;
    vif->service.next = NULL;
    *n->last_pending = vif;
    n->last_pending = &vif->service.next;
}

static struct vif *next_pending(struct netback *n)
{
    struct vif *vif = n->first_pending;
    if (!vif)
        return NULL;
    n->first_pending = vif->service.next;
    if (!n->first_pending)
        n->last_pending = &n->first_pending;
    vif->service.pending = false;
    return vif;
}

static void remove_pending(struct netback *n, struct vif *vif)
{
    struct vif **at = &n->first_pending;
    if (!vif->service.pending)
        return;
    while (*at != vif)
        at = &(*at)->service.next;
    *at = vif->service.next;
    if (!*at)
        n->last_pending = at;
    vif->service.pending = false;
}

static void set_again(struct netback *n, bool wanted)
{
    uint64_t value = 1;
    if (n->again_set == wanted)
        return;
    n->again_set = wanted;
    if (wanted ? write(n->again.fd, &value, sizeof value) < 0
               : read(n->again.fd, &value, sizeof value) < 0)
        log_error("xen: eventfd: %s", strerror(errno));
}

/* --- From qubes ---------------------------------------------------------- */

/* Offload data of a frame whose packet lies at packet->data. */
static bool claim_offload(const struct netback_frame *frame,
                          struct packet *packet)
{
    struct offload_transport t;
    packet->checksum = PACKET_CHECKSUM_NONE;
    if (!frame->checksum_blank && frame->gso == OFFLOAD_GSO_NONE)
        return true;
    if (!offload_locate(packet, &t))
        return false;
    /* Some frontends fill the checksum of what is to be cut (Linux:
     * netback.c, checksum_setup). */
    if (!frame->checksum_blank)
        offload_write_pseudo_sum(packet, &t);
    return offload_claim(packet, &t, (enum offload_gso)frame->gso,
                         frame->gso_size);
}

static void answer(struct netback *n, struct vif *vif, struct instant now,
                   const struct frame *frame)
{
    bool lies = false;
    enum drop reason = netback_receive_answer(
        &vif->receive, now, bytes_of(frame->answer, frame->answer_size), &lies);
    if (reason != DROP_NONE)
        drop(n, reason);
    if (lies)
        vif->wrong = "an impossible number of pages";
}

static void take_frame(struct netback *n, struct vif *vif, struct instant now,
                       const struct netback_frame *in)
{
    struct frame frame;
    switch (frame_take(bytes_of(in->data, in->size), &vif->ipv4, &vif->ipv6,
                       &frame)) {
    case FRAME_DROPPED:
        drop(n, frame.drop);
        return;
    case FRAME_QUESTION:
        answer(n, vif, now, &frame);
        return;
    case FRAME_SILENCE:
        return;
    case FRAME_PACKET:
        break;
    }
    struct packet packet = {
        .data = in->data + ETHERNET_HEADER_SIZE,
        .size = (uint32_t)frame.packet.size,
        .headroom = PACKET_HEADROOM,
        .qube = vif->qube,
    };
    if (!vif->qube)
        drop(n, DROP_UNKNOWN_QUBE);
    else if (!claim_offload(in, &packet))
        drop(n, DROP_LINK_MALFORMED);
    else
        *packet_batch_add(&n->batch) = packet;
}

static void take_frames(struct netback *n, struct vif *vif, struct instant now)
{
    packet_batch_reset(&n->batch);
    for (uint16_t i = 0; i < n->transmit_batch.frame_count; i++) {
        const struct netback_frame *frame = &n->transmit_batch.frames[i];
        if (frame->failed)
            drop(n, DROP_LINK_ERROR);
        else
            take_frame(n, vif, now, frame);
    }
    netback_receive_flush(&vif->receive);
    if (n->batch.count)
        n->owner.received(n->owner.context, now, &n->batch);
}

/* --- To qubes ------------------------------------------------------------ */

static void count_expired(struct netback *n, struct vif *vif)
{
    n->link.drops.count[DROP_LINK_QUEUE_FULL] += vif->receive.expired;
    vif->receive.expired = 0;
}

static void drain(struct netback *n, struct vif *vif, struct instant now)
{
    if (!netback_receive_drain(&vif->receive, now))
        vif->wrong = "an impossible number of pages";
    count_expired(n, vif);
    if (!vif->notifies && netback_receive_waits(&vif->receive))
        wake_at(n, instant_after(now, duration_milliseconds(POLL_PERIOD_MS)));
}

static void send_packet(struct netback *n, struct vif *vif, struct instant now,
                        struct packet *packet)
{
    bool lies = false;
    bool ipv6 = packet->size > 0 && packet->data[0] >> 4 == 6;
    enum drop reason = netback_receive_send(&vif->receive, now, packet,
                                            &vif->to_qube[ipv6], &lies);
    if (lies)
        vif->wrong = "an impossible number of pages";
    if (reason == DROP_NONE)
        return;
    packet->drop = (uint8_t)reason;
    drop(n, reason);
}

static void netback_send(struct link_port *port, struct instant now,
                         struct packet *const *packets, size_t count)
{
    struct netback *n = netback_of(port->link);
    struct vif *vif = (struct vif *)port;
    for (size_t i = 0; i < count; i++) {
        if (!vif->wrong) {
            send_packet(n, vif, now, packets[i]);
        } else {
            packets[i]->drop = DROP_UNKNOWN_QUBE;
            drop(n, DROP_UNKNOWN_QUBE);
        }
    }
    netback_receive_flush(&vif->receive);
    if (netback_receive_waits(&vif->receive) && !vif->wrong)
        drain(n, vif, now);
    count_expired(n, vif);
    /* Closed in a turn of its own: our owner is in the middle of a batch. */
    if (vif->wrong) {
        add_pending(n, vif);
        set_again(n, true);
    }
}

/* --- Turns --------------------------------------------------------------- */

static void unmask(struct netback *n, struct vif *vif, struct instant now,
                   bool worked)
{
    struct vif_service *s = &vif->service;
    if (!s->masked)
        return;
    s->idle_events = worked ? 0 : s->idle_events + 1;
    if (s->idle_events > IDLE_EVENTS_MAX) {
        uint32_t shift = s->idle_events - IDLE_EVENTS_MAX - 1;
        if (shift > IDLE_SHIFT_MAX)
            shift = IDLE_SHIFT_MAX;
        s->unmask_at = instant_after(now, duration_milliseconds(1 << shift));
        wake_at(n, s->unmask_at);
        return;
    }
    s->masked = false;
    event_channel_unmask(n->host.events, vif->event_port);
}

/* Takes from its ring until its credit is used up; true: there was
 * something. */
static bool take_all(struct netback *n, struct vif *vif, struct instant now)
{
    struct vif_service *s = &vif->service;
    uint64_t *malformed = &n->link.drops.count[DROP_LINK_MALFORMED];
    bool worked = false;
    while (s->credit > 0 && !vif->wrong) {
        const char *wrong =
            netback_transmit(&vif->transmit, &vif->peer, &n->transmit_batch,
                             (uint32_t)s->credit, malformed);
        if (wrong)
            vif->wrong = wrong;
        if (wrong || n->transmit_batch.answer_count == 0)
            break;
        worked = true;
        s->credit -= (int32_t)n->transmit_batch.cost;
        take_frames(n, vif, now);
    }
    return worked;
}

/* Returns what it cost. */
static int32_t serve(struct netback *n, struct vif *vif, struct instant now)
{
    struct vif_service *s = &vif->service;
    bool worked = false;
    if (vif->state != VIF_CONNECTED)
        return 0;
    if (!vif->wrong && netback_receive_waits(&vif->receive)) {
        uint32_t before = vif->receive.ring.answered;
        drain(n, vif, now);
        worked = vif->receive.ring.answered != before;
    }
    s->credit += VIF_COST_MAX;
    if (s->credit > VIF_COST_MAX)
        s->credit = VIF_COST_MAX;
    int32_t before = s->credit;
    worked |= take_all(n, vif, now);
    int32_t cost = before - s->credit;

    if (vif->wrong) {
        vif_close(vif, vif->wrong);
    } else if (netback_ring_sleep(&vif->transmit, 1)) {
        s->credit = 0;
        unmask(n, vif, now, worked);
    } else {
        add_pending(n, vif);
    }
    return cost;
}

/* Once round, but for those that find work meanwhile. */
static void serve_pending(struct netback *n, struct instant now)
{
    int32_t left = TURN_COST_MAX;
    const struct vif *last = NULL;
    for (const struct vif *v = n->first_pending; v; v = v->service.next)
        last = v;
    struct vif *vif = NULL;
    while (left > 0 && vif != last && (vif = next_pending(n)))
        left -= serve(n, vif, now);
    set_again(n, n->first_pending != NULL);
}

static void serve_again(void *context, struct instant now, unsigned events)
{
    (void)events;
    serve_pending(context, now);
}

static void rang(void *context, uint32_t port)
{
    struct netback *n = context;
    for (size_t i = 0; i < n->table.count; i++) {
        struct vif *vif = n->table.vifs[i];
        if (!vif->bound || vif->event_port != port)
            continue;
        vif->service.masked = true;
        vif->service.unmask_at = INSTANT_NEVER;
        add_pending(n, vif);
    }
}

static void all_rang(void *context, struct instant now)
{
    serve_pending(context, now);
}

/* --- Coming and going ---------------------------------------------------- */

static void lose_qube(struct netback *n, struct vif *vif)
{
    struct qube *qube = vif->qube;
    vif->qube = NULL;
    n->owner.qube_removed(n->owner.context, qube);
}

/* The address goes to the vif that connected last: of an HVM qube's two, its
 * own and its device model's, only one is in use at a time. */
static void take_address(struct netback *n, struct vif *vif)
{
    for (size_t i = 0; i < n->table.count; i++) {
        struct vif *other = n->table.vifs[i];
        if (other->qube && address_equal(&other->ipv4, &vif->ipv4))
            lose_qube(n, other);
    }
    vif->port.link = &n->link;
    vif->qube = n->owner.qube_added(n->owner.context, &vif->port, vif->name,
                                    &vif->ipv4, &vif->ipv6);
    if (!vif->qube)
        log_error("xen: %s is refused: all it sends is dropped", vif->name);
}

static void give_address_back(struct netback *n, struct vif *vif)
{
    if (!vif->qube)
        return;
    lose_qube(n, vif);
    for (size_t i = 0; i < n->table.count; i++) {
        struct vif *other = n->table.vifs[i];
        if (other != vif && other->state == VIF_CONNECTED &&
            address_equal(&other->ipv4, &vif->ipv4)) {
            take_address(n, other);
            return;
        }
    }
}

static void connected(void *context, struct vif *vif)
{
    struct netback *n = context;
    take_address(n, vif);
    vif->service.credit = 0;
    vif->service.masked = false;
    vif->service.idle_events = 0;
    vif->service.unmask_at = INSTANT_NEVER;
    /* An earlier process may have left both ends waiting for each other. */
    event_channel_notify(n->host.events, vif->event_port);
    add_pending(n, vif);
    set_again(n, true);
}

static void disconnected(void *context, struct vif *vif)
{
    struct netback *n = context;
    remove_pending(n, vif);
    vif->service.unmask_at = INSTANT_NEVER;
    give_address_back(n, vif);
}

static void changed(void *context, struct instant now, const char *path,
                    const char *token)
{
    struct netback *n = context;
    (void)now;
    vif_table_changed(&n->table, path, token);
}

static void settled(void *context, struct instant now)
{
    struct netback *n = context;
    wake_at(n, vif_table_settle(&n->table, now));
}

static void due(void *context, struct instant now)
{
    struct netback *n = context;
    for (size_t i = 0; i < n->table.count; i++) {
        struct vif *vif = n->table.vifs[i];
        struct vif_service *s = &vif->service;
        if (vif->state != VIF_CONNECTED)
            continue;
        if (instant_reached(now, s->unmask_at)) {
            s->unmask_at = INSTANT_NEVER;
            s->masked = false;
            event_channel_unmask(n->host.events, vif->event_port);
        } else {
            wake_at(n, s->unmask_at);
        }
        if (!vif->notifies && netback_receive_waits(&vif->receive))
            add_pending(n, vif);
    }
    settled(n, now);
    serve_pending(n, now);
}

/* --- Opening and closing ------------------------------------------------- */

static void netback_close(struct link *link)
{
    struct netback *n = netback_of(link);
    vif_table_clear(&n->table);
    loop_remove_timer(n->loop, &n->timer);
    if (n->again.fd >= 0) {
        loop_remove(n->loop, &n->again);
        close(n->again.fd);
    }
    event_channel_close(n->host.events);
    grant_close(n->host.grant);
    xenstore_close(n->xenstore);
    netback_transmit_batch_clear(&n->transmit_batch);
    netback_receive_batch_clear(&n->receive_batch);
    packet_batch_clear(&n->batch);
    free(n);
}

static bool netback_takes(const struct link_port *port,
                          const struct packet *packet)
{
    const struct vif *vif = (const struct vif *)port;
    /* Plain ones every qube takes. */
    return (packet->checksum != PACKET_CHECKSUM_PARTIAL &&
            packet_total(packet) <= PACKET_QUBE_MTU) ||
           netback_receive_takes(&vif->receive, packet);
}

static const struct link_kind kind = {
    .name = "xen",
    .send = netback_send,
    .takes = netback_takes,
    .close = netback_close,
};

static struct netback *netback_new(struct loop *loop,
                                   const struct link_owner *owner)
{
    struct netback *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->link.kind = &kind;
    n->loop = loop;
    n->owner = *owner;
    n->last_pending = &n->first_pending;
    n->again = (struct loop_watch){-1, serve_again, n};
    n->timer = (struct loop_timer){INSTANT_NEVER, due, n, NULL};
    loop_add_timer(loop, &n->timer);
    return n;
}

static enum error open_devices(struct netback *n)
{
    const struct event_channel_owner bells = {n, rang, all_rang};
    const struct xenstore_owner changes = {n, changed, settled};
    enum error error = OK;
    n->again.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (n->again.fd < 0)
        return error_of_errno(errno);
    error = loop_add(n->loop, &n->again, LOOP_READ);
    if (error != OK)
        return error;
    n->host = (struct vif_host){
        .receive_batch = &n->receive_batch,
        .context = n,
        .connected = connected,
        .disconnected = disconnected,
    };
    n->host.grant = grant_open(&error);
    if (n->host.grant)
        n->host.events = event_channel_open(n->loop, &bells, &error);
    if (n->host.events)
        n->xenstore = xenstore_open(n->loop, &changes, &error);
    n->host.xenstore = n->xenstore;
    return error;
}

static enum error start(struct netback *n)
{
    if (!netback_transmit_batch_init(&n->transmit_batch) ||
        !netback_receive_batch_init(&n->receive_batch) ||
        !packet_batch_init(&n->batch, NETBACK_FRAMES_MAX, 0))
        return ERROR_MEMORY;
    enum error error = open_devices(n);
    if (error != OK)
        return error;
    return vif_table_init(&n->table, &n->host);
}

struct link *netback_open(const char *kernel_module, struct loop *loop,
                          const struct link_owner *owner, enum error *error)
{
    if (access(kernel_module, F_OK) == 0) {
        log_error("xen: the kernel's own xen-netback is loaded here and would "
                  "serve the qubes past the VPN: blacklist it for this qube");
        *error = ERROR_BUSY;
        return NULL;
    }
    struct netback *n = netback_new(loop, owner);
    if (!n) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    *error = start(n);
    if (*error == OK)
        return &n->link;
    log_error("xen: no network card can be served: %s; is this a Xen domain?",
              error_text(*error));
    netback_close(&n->link);
    return NULL;
}
