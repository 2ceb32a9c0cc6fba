/*
 * The network card backend of the qubes on Xen: one link for all vifs of this
 * domain. The toolstack makes them known in xenstore (vif.h), their packets
 * come and go through shared rings (netback_transmit.h, netback_receive.h).
 *
 * A turn of the loop serves every vif that has work, each up to a budget, so
 * that none can hold up another or the uplink; what is left is served in the
 * next turn. A vif whose frontend breaks the protocol is closed; nothing else
 * is.
 *
 * Closing the link leaves xenstore and the frontends as they are: the next
 * process finds both ends connected and takes over the rings.
 */
#ifndef LINK_XEN_NETBACK_H
#define LINK_XEN_NETBACK_H

#include "gateway/link/link.h"

/* There where the kernel has its own backend, which would serve each vif
 * before we can. */
#define NETBACK_KERNEL_MODULE "/sys/module/xen_netback"

/* Serves what is there and what comes. NULL and *error on failure, or where
 * the kernel's backend is loaded (`kernel_module` exists); the log says
 * what. */
struct link *netback_open(const char *kernel_module, struct loop *loop,
                          const struct link_owner *owner, enum error *error);

#endif
