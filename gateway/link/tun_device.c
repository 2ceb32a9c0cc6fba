#include "gateway/link/tun_device.h"
#include "gateway/base/log.h"
#include "gateway/link/vnet_header.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Linux 6.2; the headers of Debian 12 are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static bool attach(int fd, enum tun_device_kind kind, const char *interface,
                   bool *udp_gso)
{
    struct ifreq request = {
        .ifr_flags = (short)((kind == TUN_DEVICE_ETHERNET ? IFF_TAP : IFF_TUN) |
                             IFF_NO_PI | IFF_VNET_HDR),
    };
    int size = VNET_HEADER_SIZE;
    int little_endian = 1;
    unsigned long offload =
        TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

    memcpy(request.ifr_name, interface, strlen(interface) + 1);
    if (ioctl(fd, TUNSETIFF, &request) != 0 ||
        ioctl(fd, TUNSETVNETHDRSZ, &size) != 0 ||
        ioctl(fd, TUNSETVNETLE, &little_endian) != 0)
        return false;
    *udp_gso = ioctl(fd, TUNSETOFFLOAD, offload | TUN_F_USO4 | TUN_F_USO6) == 0;
    return *udp_gso || ioctl(fd, TUNSETOFFLOAD, offload) == 0;
}

int tun_device_open(enum tun_device_kind kind, const char *interface,
                    bool *udp_gso, enum error *error)
{
    const char *scope = kind == TUN_DEVICE_ETHERNET ? "tap" : "tun";
    const char *device = "/dev/net/tun";
    size_t length = strlen(interface);
    if (length == 0 || length >= IFNAMSIZ || strchr(interface, '%')) {
        log_error("%s: \"%s\" is not a name of an interface", scope, interface);
        *error = ERROR_INVALID;
        return -1;
    }
    int fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || !attach(fd, kind, interface, udp_gso)) {
        *error = error_of_errno(errno);
        int number = errno;
        bool forbidden = number == EPERM || number == EACCES;
        log_error("%s:%s: cannot use %s: %s%s", scope, interface,
                  fd < 0 ? device : "the interface", strerror(number),
                  forbidden          ? ": this needs root (CAP_NET_ADMIN)"
                  : number == EINVAL ? ": it exists, and is of another kind"
                  : number == EBUSY  ? ": another program has it open"
                                     : "");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

enum drop tun_device_write(int fd, const uint8_t *headers, size_t header_size,
                           const struct packet *packet)
{
    struct iovec parts[2 + PACKET_PIECES_MAX] = {
        {(void *)(uintptr_t)headers, header_size},
        {packet->data, packet->size},
    };
    if (packet->piece_count > PACKET_PIECES_MAX)
        return DROP_LINK_MALFORMED;
    for (size_t i = 0; i < packet->piece_count; i++) {
        const struct bytes *piece = &packet->pieces[i];
        parts[2 + i] =
            (struct iovec){(void *)(uintptr_t)piece->data, piece->size};
    }
    if (writev(fd, parts, 2 + packet->piece_count) >= 0)
        return DROP_NONE;
    return errno == EAGAIN ? DROP_LINK_QUEUE_FULL : DROP_LINK_ERROR;
}
