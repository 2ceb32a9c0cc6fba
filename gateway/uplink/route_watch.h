/*
 * The kernel's way to the server: interface, gateway and our own address.
 * Network cards vanish and come back (a NetVM that is replaced or restarts),
 * addresses change, and no packet tells: the socket stays open, and the
 * server knows us by an address that is no longer ours.
 *
 *   follow -> the way is looked up
 *   news of the kernel (NETLINK_ROUTE) -> looked up again, after a moment
 *   it is another, or was gone in the meantime and is there -> changed()
 */
#ifndef UPLINK_ROUTE_WATCH_H
#define UPLINK_ROUTE_WATCH_H

#include "gateway/base/address.h"
#include "gateway/event/loop.h"

struct route_watch; /* heap */

struct route_watch_owner {
    void *context;
    void (*changed)(void *context, struct instant now);
};

/* Follows the way to anywhere, until it is told whom to follow. Everything
 * that needs more than sending and receiving is done here. NULL where the
 * kernel gives no news; the log says why. */
struct route_watch *route_watch_open(struct loop *loop,
                                     const struct route_watch_owner *owner);
void route_watch_close(struct route_watch *w);

/* From now on it is about the way to this server, as it is now. */
void route_watch_follow(struct route_watch *w, const struct address *server);

#endif
