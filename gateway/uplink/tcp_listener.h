/*
 * A server's TCP socket and its connections: packets behind their lengths,
 * from whoever connects.
 *
 *   accepted --> STRANGER --received() says that it is known--> KNOWN
 *                   |                                             |
 *                   +--time over, pushed out, broken, hung up-----+--> gone
 *
 * A stranger costs a descriptor and what it sent of a packet. There may be so
 * many of them, and so many of one address; where there are more the oldest
 * one goes. A connection keeps a buffer only while it has something to wait
 * for: the rest of a packet, or a kernel that takes no more. As in tcp.h new
 * packets are dropped whole there, and control packets still find room.
 */
#ifndef UPLINK_TCP_LISTENER_H
#define UPLINK_TCP_LISTENER_H

#include "gateway/base/address.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"
#include "gateway/packet/burst.h"

struct tcp_listener; /* heap */

/* `stream` is never 0 and never the same twice. The listener may not be closed
 * from inside, but any of its connections may. */
struct tcp_listener_owner {
    void *context;
    /* Packets as views into the listener's buffers, free again on return. True
     * if whoever sent them is known by now. */
    bool (*received)(void *context, struct instant now, uint64_t stream,
                     const struct endpoint *from, struct burst *burst);
    /* A connection has ended, and not by tcp_listener_hang_up(). */
    void (*ended)(void *context, struct instant now, uint64_t stream,
                  const struct endpoint *from);
};

struct tcp_listener_limits {
    uint32_t known, strangers, strangers_of_one;
    struct duration patience; /* with a stranger */
};

/* An address of family NONE: every address of the host, of both families. NULL
 * and *error on failure; the log says what. */
struct tcp_listener *tcp_listener_open(const struct endpoint *local,
                                       struct loop *loop,
                                       const struct tcp_listener_limits *limits,
                                       const struct tcp_listener_owner *owner,
                                       enum error *error);
void tcp_listener_close(struct tcp_listener *l);

/* Every datagram without a drop reason; sets one where there is no room.
 * Nothing if the connection has ended meanwhile. */
void tcp_listener_send(struct tcp_listener *l, uint64_t stream,
                       struct burst *burst);
/* Ends a connection, if there still is one of that number. */
void tcp_listener_hang_up(struct tcp_listener *l, uint64_t stream);

/* IP, TCP and the length add this to each packet. */
uint16_t tcp_listener_overhead(const struct endpoint *to);

struct tcp_listener_counters {
    uint32_t known, strangers;      /* now */
    uint64_t accepted;              /* so far */
    uint64_t timed_out, pushed_out; /* strangers */
};
struct tcp_listener_counters
tcp_listener_counters(const struct tcp_listener *l);
const struct drop_counters *tcp_listener_drops(const struct tcp_listener *l);

#endif
