/*
 * Packets are read one system call each, but a batch at a time, one behind
 * the other into one block of memory, as in link/tap.
 */
#include "gateway/link/tun.h"
#include "gateway/base/log.h"
#include "gateway/link/tun_device.h"
#include "gateway/link/vnet_header.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PACKET_READ_MAX = VNET_HEADER_SIZE + PACKET_SIZE_MAX + 1,
    SLOT_SIZE_MAX = PACKET_HEADROOM + PACKET_SIZE_MAX + 1,
    ALIGNMENT = 64,
    BATCH_PACKETS = 64,
    MEMORY_SIZE = 8 * (SLOT_SIZE_MAX + ALIGNMENT),
};

struct tun {
    struct link link; /* first */
    struct loop *loop;
    struct loop_watch watch;
    struct link_owner owner;
    char name[IFNAMSIZ + 8];
    uint8_t *memory;
    struct packet_batch batch; /* views into `memory` */
};

static_assert(offsetof(struct tun, link) == 0, "a link is a tun's start");

static struct tun *tun_of(struct link *link)
{
    return (struct tun *)link;
}

/* --- Packets ------------------------------------------------------------- */

/* Takes `size` bytes, the virtio header first. */
static bool take_packet(struct tun *tun, size_t size, struct packet *packet)
{
    const uint8_t *start = packet->data - VNET_HEADER_SIZE;
    size_t ip = size > VNET_HEADER_SIZE ? size - VNET_HEADER_SIZE : 0;
    uint8_t version = ip > 0 ? packet->data[0] >> 4 : 0;
    packet->size = (uint32_t)ip;
    if ((version == 4 || version == 6) && ip <= PACKET_SIZE_MAX &&
        vnet_header_read(start, 0, packet))
        return true;
    drop_count(&tun->link.drops, DROP_LINK_MALFORMED);
    return false;
}

static void vanished(struct tun *tun)
{
    log_error("%s: the interface is gone: %s", tun->name, strerror(errno));
    loop_remove(tun->loop, &tun->watch);
    close(tun->watch.fd);
    tun->watch.fd = -1;
}

static void fill_batch(struct tun *tun)
{
    uint8_t *slot = tun->memory;
    const uint8_t *end = tun->memory + MEMORY_SIZE;
    packet_batch_reset(&tun->batch);
    for (int reads = 0; reads < BATCH_PACKETS; reads++) {
        if (end - slot < SLOT_SIZE_MAX)
            return;
        uint8_t *data = slot + PACKET_HEADROOM;
        ssize_t got =
            read(tun->watch.fd, data - VNET_HEADER_SIZE, PACKET_READ_MAX);
        if (got < 0) {
            if (errno != EAGAIN && errno != EINTR)
                vanished(tun);
            return;
        }
        struct packet packet = {.data = data, .headroom = PACKET_HEADROOM};
        if (!take_packet(tun, (size_t)got, &packet))
            continue;
        *packet_batch_add(&tun->batch) = packet;
        size_t used = (size_t)PACKET_HEADROOM + packet.size;
        slot += (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct tun *tun = context;
    (void)events;
    fill_batch(tun);
    if (tun->batch.count)
        tun->owner.received(tun->owner.context, now, &tun->batch);
}

static enum drop send_packet(struct tun *tun, const struct packet *packet)
{
    uint8_t header[VNET_HEADER_SIZE];
    if (tun->watch.fd < 0)
        return DROP_LINK_ERROR;
    if (packet->size == 0 || !vnet_header_write(packet, 0, header))
        return DROP_LINK_MALFORMED;
    return tun_device_write(tun->watch.fd, header, sizeof header, packet);
}

static void tun_send(struct link_port *port, struct instant now,
                     struct packet *const *packets, size_t count)
{
    struct tun *tun = tun_of(port->link);
    (void)now;
    for (size_t i = 0; i < count; i++) {
        enum drop reason = send_packet(tun, packets[i]);
        if (reason == DROP_NONE)
            continue;
        packets[i]->drop = (uint8_t)reason;
        drop_count(&tun->link.drops, reason);
    }
}

/* --- The interface's addresses and routes -------------------------------- */

static struct sockaddr_in socket_address(const uint8_t ipv4[4])
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    memcpy(&a.sin_addr, ipv4, 4);
    return a;
}

static struct sockaddr_in netmask(uint8_t bits)
{
    uint8_t mask[4];
    store_u32(mask, bits ? UINT32_MAX << (32 - bits) : 0);
    return socket_address(mask);
}

static bool set_ipv4(int s, const char *name, const struct prefix *p)
{
    struct ifreq request = {0};
    struct sockaddr_in address = socket_address(p->address.bytes);
    struct sockaddr_in mask = netmask(p->bits);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    memcpy(&request.ifr_addr, &address, sizeof address);
    if (ioctl(s, SIOCSIFADDR, &request) != 0)
        return false;
    memcpy(&request.ifr_netmask, &mask, sizeof mask);
    return ioctl(s, SIOCSIFNETMASK, &request) == 0;
}

static bool bring_up(int s, const char *name, uint16_t mtu)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    request.ifr_mtu = mtu;
    if (ioctl(s, SIOCSIFMTU, &request) != 0 ||
        ioctl(s, SIOCGIFFLAGS, &request) != 0)
        return false;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    return ioctl(s, SIOCSIFFLAGS, &request) == 0;
}

/* Linux' struct in6_ifreq, whose header does not go with <net/if.h>. */
struct ipv6_request {
    uint8_t address[16];
    uint32_t bits;
    int interface;
};

static bool set_ipv6(const char *name, const struct prefix *p)
{
    int s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ipv6_request request = {
        .bits = p->bits,
        .interface = (int)if_nametoindex(name),
    };
    memcpy(request.address, p->address.bytes, sizeof request.address);
    if (s < 0)
        return false;
    bool set = ioctl(s, SIOCSIFADDR, &request) == 0 || errno == EEXIST;
    int number = errno;
    close(s);
    errno = number;
    return set;
}

static bool add_route(int s, const char *name, const struct prefix *p)
{
    char device[IFNAMSIZ];
    snprintf(device, sizeof device, "%s", name);
    if (p->address.family == ADDRESS_IPV6) {
        struct in6_rtmsg route = {
            .rtmsg_dst_len = p->bits,
            .rtmsg_flags = RTF_UP,
            .rtmsg_metric = 1,
            .rtmsg_ifindex = (int)if_nametoindex(name),
        };
        memcpy(&route.rtmsg_dst, p->address.bytes, sizeof route.rtmsg_dst);
        int s6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool added =
            s6 >= 0 && (ioctl(s6, SIOCADDRT, &route) == 0 || errno == EEXIST);
        if (s6 >= 0)
            close(s6);
        return added;
    }
    struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = device};
    struct sockaddr_in to = socket_address(p->address.bytes);
    struct sockaddr_in mask = netmask(p->bits);
    memcpy(&route.rt_dst, &to, sizeof to);
    memcpy(&route.rt_genmask, &mask, sizeof mask);
    return ioctl(s, SIOCADDRT, &route) == 0 || errno == EEXIST;
}

static bool configure(const struct tun_options *o)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return false;
    bool good =
        (!address_is_set(&o->ipv4.address) ||
         set_ipv4(s, o->interface, &o->ipv4)) &&
        bring_up(s, o->interface, o->mtu) &&
        (!address_is_set(&o->ipv6.address) || set_ipv6(o->interface, &o->ipv6));
    for (size_t i = 0; good && i < o->route_count; i++)
        good = add_route(s, o->interface, &o->routes[i]);
    int number = errno;
    close(s);
    errno = number;
    return good;
}

/* --- Opening and closing ------------------------------------------------- */

static void tun_close(struct link *link)
{
    struct tun *tun = tun_of(link);
    if (tun->watch.fd >= 0) {
        loop_remove(tun->loop, &tun->watch);
        close(tun->watch.fd);
    }
    packet_batch_clear(&tun->batch);
    free(tun->memory);
    free(tun);
}

static const struct link_kind kind = {
    .name = "tun",
    .send = tun_send,
    .close = tun_close,
};

struct link *tun_open(const struct tun_options *options, struct loop *loop,
                      const struct link_owner *owner, enum error *error)
{
    bool udp_gso;
    int fd =
        tun_device_open(TUN_DEVICE_IP, options->interface, &udp_gso, error);
    if (fd < 0)
        return NULL;
    struct tun *tun = calloc(1, sizeof *tun);
    if (!tun) {
        close(fd);
        *error = ERROR_MEMORY;
        return NULL;
    }
    *tun = (struct tun){
        .link = {.kind = &kind, .port = {&tun->link}, .takes_udp_gso = udp_gso},
        .loop = loop,
        .watch = {.fd = -1, .ready = ready, .context = tun},
        .owner = *owner,
        .memory = aligned_alloc(ALIGNMENT, MEMORY_SIZE),
    };
    snprintf(tun->name, sizeof tun->name, "tun:%s", options->interface);
    *error = ERROR_MEMORY;
    if (tun->memory && packet_batch_init(&tun->batch, BATCH_PACKETS, 0)) {
        *error = options->configured || configure(options)
                     ? OK
                     : error_of_errno(errno);
        if (*error != OK)
            log_error("%s: cannot be configured: %s", tun->name,
                      strerror(errno));
        tun->watch.fd = fd;
        if (*error == OK)
            *error = loop_add(loop, &tun->watch, LOOP_READ);
        if (*error == OK)
            return &tun->link;
        tun->watch.fd = -1;
    }
    close(fd);
    tun_close(&tun->link);
    return NULL;
}
