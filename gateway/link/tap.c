/*
 * Frames are read one system call each, but a batch at a time, one behind
 * the other into one block of memory: as many small frames as a batch has
 * packets, or as many of 64 KiB as the block holds. Each IP header comes to
 * lie on a cache line, virtio and Ethernet headers in the headroom before it.
 */
#include "gateway/link/tap.h"
#include "gateway/base/log.h"
#include "gateway/link/frame.h"
#include "gateway/link/tun_device.h"
#include "gateway/link/vnet_header.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    HEADERS_SIZE = VNET_HEADER_SIZE + ETHERNET_HEADER_SIZE,
    /* One byte more than an IP packet may have, so that a longer one shows. */
    FRAME_SIZE_MAX = HEADERS_SIZE + PACKET_SIZE_MAX + 1,
    SLOT_SIZE_MAX = PACKET_HEADROOM + PACKET_SIZE_MAX + 1,
    ALIGNMENT = 64,
    BATCH_PACKETS = 64,
    MEMORY_SIZE = 8 * (SLOT_SIZE_MAX + ALIGNMENT),
};

_Static_assert((int)PACKET_HEADROOM >= (int)HEADERS_SIZE,
               "headers fit the headroom");
_Static_assert(PACKET_HEADROOM % ALIGNMENT == 0, "IP headers are aligned");

struct tap {
    struct link link; /* first */
    struct loop *loop;
    struct loop_watch watch;
    struct link_owner owner;
    struct address ipv4;
    struct address ipv6;
    int qube;
    bool mac_known;
    struct ethernet_header to_qube[2]; /* IPv4, IPv6 */
    char name[IFNAMSIZ + 8];
    uint8_t *memory;
    struct packet_batch batch; /* views into `memory` */
};

_Static_assert(offsetof(struct tap, link) == 0, "a link is a tap's start");

static struct tap *tap_of(struct link *link)
{
    return (struct tap *)link;
}

static void set_mac(struct tap *tap, const uint8_t mac[6])
{
    for (size_t i = 0; i < 2; i++)
        memcpy(tap->to_qube[i].destination, mac, 6);
    tap->mac_known = true;
}

static void drop(struct tap *tap, enum drop reason)
{
    drop_count(&tap->link.drops, reason);
}

/* An answer of the link's own to ARP or ND. */
static void answer(struct tap *tap, const uint8_t *frame, size_t size)
{
    static const uint8_t no_offload[VNET_HEADER_SIZE];
    uint8_t out[VNET_HEADER_SIZE + NDP_FRAME_SIZE];
    assert(size <= NDP_FRAME_SIZE);
    memcpy(out, no_offload, VNET_HEADER_SIZE);
    memcpy(out + VNET_HEADER_SIZE, frame, size);
    if (write(tap->watch.fd, out, VNET_HEADER_SIZE + size) < 0)
        drop(tap, DROP_LINK_QUEUE_FULL);
}

static bool is_from_qube(const struct tap *tap, struct bytes packet)
{
    if (packet.size >= 20 && packet.data[0] >> 4 == 4)
        return memcmp(packet.data + 12, tap->ipv4.bytes, 4) == 0;
    if (packet.size >= 40 && packet.data[0] >> 4 == 6)
        return address_is_set(&tap->ipv6) &&
               memcmp(packet.data + 8, tap->ipv6.bytes, 16) == 0;
    return false;
}

static void learn_mac(struct tap *tap, const uint8_t mac[6],
                      struct bytes packet)
{
    if (mac[0] & 1 || !is_from_qube(tap, packet))
        return;
    set_mac(tap, mac);
    log_info("%s: the qube's MAC is %02x:%02x:%02x:%02x:%02x:%02x", tap->name,
             mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* The frame of `size` bytes, virtio header first, becomes the packet, whose
 * data is where its IP header would be. False: it is none for our owner. */
static bool take_frame(struct tap *tap, size_t size, struct packet *packet)
{
    uint8_t *start = packet->data - HEADERS_SIZE;
    struct frame frame;
    if (size < HEADERS_SIZE) {
        drop(tap, DROP_LINK_MALFORMED);
        return false;
    }
    switch (
        frame_take(bytes_of(start + VNET_HEADER_SIZE, size - VNET_HEADER_SIZE),
                   &tap->ipv4, &tap->ipv6, &frame)) {
    case FRAME_DROPPED:
        drop(tap, frame.drop);
        return false;
    case FRAME_QUESTION:
        answer(tap, frame.answer, frame.answer_size);
        return false;
    case FRAME_SILENCE:
        return false;
    case FRAME_PACKET:
        break;
    }
    packet->size = (uint32_t)frame.packet.size;
    if (!vnet_header_read(start, ETHERNET_HEADER_SIZE, packet)) {
        drop(tap, DROP_LINK_MALFORMED);
        return false;
    }
    if (!tap->mac_known)
        learn_mac(tap, frame.ethernet.source, frame.packet);
    packet->qube = (uint16_t)tap->qube;
    return true;
}

/* The interface was taken away; what stays is a link that drops. */
static void vanished(struct tap *tap)
{
    log_error("%s: the interface is gone: %s", tap->name, strerror(errno));
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
        ssize_t got = read(tap->watch.fd, data - HEADERS_SIZE, FRAME_SIZE_MAX);
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
    if (tap->watch.fd < 0 && tap->qube >= 0) {
        int qube = tap->qube;
        tap->qube = -1;
        tap->owner.qube_removed(tap->owner.context, qube);
    }
}

static enum drop send_packet(struct tap *tap, const struct packet *packet)
{
    uint8_t headers[HEADERS_SIZE];
    if (tap->watch.fd < 0)
        return DROP_LINK_ERROR;
    if (!tap->mac_known)
        return DROP_LINK_NO_MAC;
    if (packet->size == 0 ||
        !vnet_header_write(packet, ETHERNET_HEADER_SIZE, headers))
        return DROP_LINK_MALFORMED;
    ethernet_write(headers + VNET_HEADER_SIZE,
                   &tap->to_qube[packet->data[0] >> 4 == 6]);

    return tun_device_write(tap->watch.fd, headers, sizeof headers, packet);
}

static void tap_send(struct link *link, struct instant now,
                     struct packet *packets, size_t count)
{
    struct tap *tap = tap_of(link);
    (void)now;
    for (size_t i = 0; i < count; i++) {
        if (packets[i].drop != DROP_NONE)
            continue;
        enum drop reason = send_packet(tap, &packets[i]);
        if (reason == DROP_NONE)
            continue;
        packets[i].drop = (uint8_t)reason;
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
    if (tap->qube >= 0)
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
    static const uint8_t unknown[6];
    struct tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return NULL;
    *tap = (struct tap){
        .link.kind = &kind,
        .loop = loop,
        .watch = {.fd = -1, .ready = ready, .context = tap},
        .owner = *owner,
        .ipv4 = options->ipv4,
        .ipv6 = options->ipv6,
        .qube = -1,
        .to_qube = {{.type = ETHERTYPE_IPV4}, {.type = ETHERTYPE_IPV6}},
        .memory = aligned_alloc(ALIGNMENT, MEMORY_SIZE),
    };
    snprintf(tap->name, sizeof tap->name, "tap:%s", options->interface);
    for (size_t i = 0; i < 2; i++)
        memcpy(tap->to_qube[i].source, ethernet_gateway_mac, 6);
    if (memcmp(options->mac, unknown, sizeof unknown) != 0)
        set_mac(tap, options->mac);
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
        log_error("%s: %s", tap->name, error_text(*error));
        close(fd);
        tap->watch.fd = -1;
        tap_close(&tap->link);
        return NULL;
    }
    tap->qube = owner->qube_added(owner->context, &tap->link, tap->name,
                                  &tap->ipv4, &tap->ipv6);
    if (tap->qube < 0) {
        log_error("%s: the qube is refused", tap->name);
        *error = ERROR_INVALID;
        tap_close(&tap->link);
        return NULL;
    }
    return &tap->link;
}
