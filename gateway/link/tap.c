/*
 * Frames are read one system call each, but a batch at a time, one behind
 * the other into one block of memory: as many small frames as a batch has
 * packets, or as many of 64 KiB as the block holds. Each IP header comes to
 * lie on a cache line, virtio and Ethernet headers in the headroom before it.
 */
#include "gateway/link/tap.h"
#include "gateway/base/log.h"
#include "gateway/link/card.h"
#include "gateway/link/tun_device.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* One byte more than an IP packet may have, so that a longer one shows. */
    FRAME_SIZE_MAX = CARD_FRAME_MAX + 1,
    SLOT_SIZE_MAX = PACKET_HEADROOM + PACKET_SIZE_MAX + 1,
    ALIGNMENT = 64,
    BATCH_PACKETS = 64,
    MEMORY_SIZE = 8 * (SLOT_SIZE_MAX + ALIGNMENT),
};

static_assert(PACKET_HEADROOM % ALIGNMENT == 0, "IP headers are aligned");

struct tap {
    struct link link; /* first */
    struct loop *loop;
    struct loop_watch watch;
    struct link_owner owner;
    struct card card;
    struct qube *qube; /* or NULL */
    uint8_t *memory;
    struct packet_batch batch; /* views into `memory` */
};

static_assert(offsetof(struct tap, link) == 0, "a link is a tap's start");

static struct tap *tap_of(struct link *link)
{
    return (struct tap *)link;
}

static void drop(struct tap *tap, enum drop reason)
{
    drop_count(&tap->link.drops, reason);
}

/* An answer of the link's own to ARP or ND. */
static void answer(struct tap *tap, const struct frame *frame)
{
    uint8_t out[CARD_ANSWER_SIZE];
    size_t size = card_answer(frame, out);
    if (write(tap->watch.fd, out, size) < 0)
        drop(tap, DROP_LINK_QUEUE_FULL);
}

/* The frame of `size` bytes, virtio header first, becomes the packet, whose
 * data is where its IP header would be. False: it is none for our owner. */
static bool take_frame(struct tap *tap, size_t size, struct packet *packet)
{
    struct frame frame;
    switch (card_take(&tap->card, size, packet, &frame)) {
    case FRAME_DROPPED:
        drop(tap, frame.drop);
        return false;
    case FRAME_QUESTION:
        answer(tap, &frame);
        return false;
    case FRAME_SILENCE:
        return false;
    case FRAME_PACKET:
        break;
    }
    packet->qube = tap->qube;
    return true;
}

/* The interface was taken away; what stays is a link that drops. */
static void vanished(struct tap *tap)
{
    log_error("%s: the interface is gone: %s", tap->card.name, strerror(errno));
    loop_remove(tap->loop, &tap->watch);
    close(tap->watch.fd);
    tap->watch.fd = -1;
}

static void fill_batch(struct tap *tap)
{
    uint8_t *slot = tap->memory;
    const uint8_t *end = tap->memory + MEMORY_SIZE;
    packet_batch_reset(&tap->batch);
    /* Frames that become no packet count too: none may hold up the loop. */
    for (int frames = 0; frames < BATCH_PACKETS; frames++) {
        if (end - slot < SLOT_SIZE_MAX)
            return;
        uint8_t *data = slot + PACKET_HEADROOM;
        ssize_t got =
            read(tap->watch.fd, data - CARD_HEADERS_SIZE, FRAME_SIZE_MAX);
        if (got < 0) {
            if (errno != EAGAIN && errno != EINTR)
                vanished(tap);
            return;
        }
        struct packet packet = {.data = data, .headroom = PACKET_HEADROOM};
        if (!take_frame(tap, (size_t)got, &packet))
            continue;
        *packet_batch_add(&tap->batch) = packet;
        size_t used = (size_t)PACKET_HEADROOM + packet.size;
        slot += (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct tap *tap = context;
    (void)events;
    fill_batch(tap);
    if (tap->batch.count)
        tap->owner.received(tap->owner.context, now, &tap->batch);
    if (tap->watch.fd < 0 && tap->qube) {
        struct qube *qube = tap->qube;
        tap->qube = NULL;
        tap->owner.qube_removed(tap->owner.context, qube);
    }
}

static enum drop send_packet(struct tap *tap, const struct packet *packet)
{
    uint8_t headers[CARD_HEADERS_SIZE];
    if (tap->watch.fd < 0)
        return DROP_LINK_ERROR;
    enum drop reason = card_headers(&tap->card, packet, headers);
    if (reason != DROP_NONE)
        return reason;
    return tun_device_write(tap->watch.fd, headers, sizeof headers, packet);
}

static void tap_send(struct link_port *port, struct instant now,
                     struct packet *const *packets, size_t count)
{
    struct tap *tap = tap_of(port->link);
    (void)now;
    for (size_t i = 0; i < count; i++) {
        enum drop reason = send_packet(tap, packets[i]);
        if (reason == DROP_NONE)
            continue;
        packets[i]->drop = (uint8_t)reason;
        drop(tap, reason);
    }
}

static void tap_close(struct link *link)
{
    struct tap *tap = tap_of(link);
    if (tap->watch.fd >= 0) {
        loop_remove(tap->loop, &tap->watch);
        close(tap->watch.fd);
    }
    if (tap->qube)
        tap->owner.qube_removed(tap->owner.context, tap->qube);
    packet_batch_clear(&tap->batch);
    free(tap->memory);
    free(tap);
}

static const struct link_kind kind = {
    .name = "tap",
    .send = tap_send,
    .close = tap_close,
};

/* All but the descriptor; NULL when memory is short. */
static struct tap *tap_new(const struct tap_options *options, struct loop *loop,
                           const struct link_owner *owner)
{
    char name[IFNAMSIZ + 8];
    struct tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return NULL;
    *tap = (struct tap){
        .link = {.kind = &kind, .port = {&tap->link}},
        .loop = loop,
        .watch = {.fd = -1, .ready = ready, .context = tap},
        .owner = *owner,
        .memory = aligned_alloc(ALIGNMENT, MEMORY_SIZE),
    };
    snprintf(name, sizeof name, "tap:%s", options->interface);
    card_init(&tap->card, name, &options->ipv4, &options->ipv6, options->mac);
    if (tap->memory && packet_batch_init(&tap->batch, BATCH_PACKETS, 0))
        return tap;
    tap_close(&tap->link);
    return NULL;
}

struct link *tap_open(const struct tap_options *options, struct loop *loop,
                      const struct link_owner *owner, enum error *error)
{
    bool udp_gso;
    int fd = tun_device_open(TUN_DEVICE_ETHERNET, options->interface, &udp_gso,
                             error);
    if (fd < 0)
        return NULL;
    struct tap *tap = tap_new(options, loop, owner);
    if (!tap) {
        close(fd);
        *error = ERROR_MEMORY;
        return NULL;
    }
    tap->link.takes_udp_gso = udp_gso;
    tap->watch.fd = fd;
    *error = loop_add(loop, &tap->watch, LOOP_READ);
    if (*error != OK) {
        log_error("%s: %s", tap->card.name, error_text(*error));
        close(fd);
        tap->watch.fd = -1;
        tap_close(&tap->link);
        return NULL;
    }
    tap->qube =
        owner->qube_added(owner->context, &tap->link.port, tap->card.name,
                          &tap->card.ipv4, &tap->card.ipv6);
    if (!tap->qube) {
        log_error("%s: the qube is refused", tap->card.name);
        *error = ERROR_INVALID;
        tap_close(&tap->link);
        return NULL;
    }
    return &tap->link;
}
