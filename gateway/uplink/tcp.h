/*
 * A TCP connection to the server, perhaps through a proxy: packets behind
 * their lengths.
 *
 * A burst is one system call, whatever sizes its datagrams have. Bytes that the
 * kernel does not take wait in a bounded queue; if that is full, new packets of
 * qubes are dropped whole, so that their senders slow down, and control packets
 * still find room. Nothing that was begun is given up.
 */
#ifndef UPLINK_TCP_H
#define UPLINK_TCP_H

#include "gateway/uplink/proxy.h"
#include "gateway/uplink/uplink.h"

/* `peer` is the proxy where `proxy`, which is copied, is not NULL. NULL and
 * *error on failure; the log says what. connected() or failed() are called
 * from the loop, not from inside; how long that may take the owner says by
 * closing it. */
struct uplink *tcp_open(const struct endpoint *peer, const struct proxy *proxy,
                        struct loop *loop, const struct uplink_owner *owner,
                        enum error *error);

#endif
