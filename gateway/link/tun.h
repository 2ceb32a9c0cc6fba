/*
 * A TUN device of the host: the server's end of the tunnel, behind which the
 * host's own kernel routes. IFF_VNET_HDR with checksum, TSO and, where the
 * kernel has it, USO offload, as link/tap has it, but IP packets without
 * Ethernet, and no qube: there is nobody to recognise on the other side, and
 * `qube` of its packets is 0.
 *
 * Unlike a TAP it is this host's, so that it is addressed and brought up here.
 */
#ifndef LINK_TUN_H
#define LINK_TUN_H

#include "gateway/link/link.h"

struct tun_options {
    const char *interface;
    struct prefix ipv4; /* the host's address and its network; or unset */
    struct prefix ipv6;
    uint16_t mtu;
    bool configured; /* by somebody else: nothing of the above is set */
    const struct prefix *routes; /* more networks behind the device */
    size_t route_count;
};

/* Calls only received() of `owner`. NULL and *error on failure; the log says
 * what. */
struct link *tun_open(const struct tun_options *options, struct loop *loop,
                      const struct link_owner *owner, enum error *error);

#endif
