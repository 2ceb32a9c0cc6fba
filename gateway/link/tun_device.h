/*
 * A TUN or TAP device of Linux with IFF_VNET_HDR, so that super-packets pass
 * whole: what both links that use one have in common. Each read and write is
 * one frame, which a virtio header precedes (vnet_header.h).
 */
#ifndef LINK_TUN_DEVICE_H
#define LINK_TUN_DEVICE_H

#include "gateway/base/error.h"
#include "gateway/packet/packet.h"

enum tun_device_kind {
    TUN_DEVICE_ETHERNET, /* TAP */
    TUN_DEVICE_IP,       /* TUN, without any header in front of IP */
};

/* Attaches to the interface or makes it; one that was made vanishes with the
 * descriptor. *udp_gso: the kernel knows UDP super-packets, as of Linux 6.2.
 * -1 and *error on failure; the log says what. */
int tun_device_open(enum tun_device_kind kind, const char *interface,
                    bool *udp_gso, enum error *error);

/* One frame: `header_size` bytes, and the packet behind them. DROP_NONE or why
 * it did not go. */
enum drop tun_device_write(int fd, const uint8_t *headers, size_t header_size,
                           const struct packet *packet);

#endif
