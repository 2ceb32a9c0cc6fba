/*
 * A TAP device as one qube's network card: IFF_VNET_HDR with checksum, TSO
 * and, where the kernel has it, USO offload, so that super-packets pass
 * whole. The stand-in for a vif in tests, in `make demo`, and outside Xen.
 *
 * The interface is the qube's end. It is never brought up, addressed or
 * renamed here, for in the gateway's own network namespace it would make the
 * gateway's kernel a qube: whoever starts the gateway moves the interface
 * into the qube's namespace and configures it there. One that did not exist
 * is made, and vanishes when the link is closed.
 *
 * The link answers ARP and neighbour discovery and looks at no source
 * address but to learn the qube's MAC; spoofing is judged by the router.
 */
#ifndef LINK_TAP_H
#define LINK_TAP_H

#include "gateway/link/link.h"

struct tap_options {
    const char *interface;
    struct address ipv4;
    struct address ipv6; /* or unset */
    uint8_t mac[6];      /* of the qube; all zero: learnt from its first frame
                            with the right source address */
};

/* Attaches to or makes the interface and adds the qube to its owner. NULL and
 * *error on failure; the log says what. */
struct link *tap_open(const struct tap_options *options, struct loop *loop,
                      const struct link_owner *owner, enum error *error);

#endif
