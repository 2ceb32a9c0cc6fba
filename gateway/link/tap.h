/*
 * A TAP device as one qube's network card: IFF_VNET_HDR with checksum and
 * TSO offload, so that super-packets pass whole. The stand-in for a vif in
 * tests, in `make demo`, and outside Xen.
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
