/*
 * A server's UDP socket, not connected: datagrams from whoever sends some, with
 * UDP_SEGMENT and UDP_GRO like the client's (udp_train.h). ICMP is not listened
 * to: anybody on the internet can forge it.
 */
#ifndef UPLINK_UDP_LISTENER_H
#define UPLINK_UDP_LISTENER_H

#include "gateway/base/address.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"
#include "gateway/packet/burst.h"

struct udp_listener; /* heap */

/* Datagrams of one source as views into the listener's buffers, free again on
 * return. The listener may not be closed from inside. */
typedef void udp_listener_received(void *context, struct instant now,
                                   const struct endpoint *from,
                                   struct burst *burst);

/* An address of family NONE: every address of the host, of both families. NULL
 * and *error on failure; the log says what. */
struct udp_listener *udp_listener_open(const struct endpoint *local,
                                       struct loop *loop,
                                       udp_listener_received *received,
                                       void *context, enum error *error);
void udp_listener_close(struct udp_listener *l);

/* Every datagram without a drop reason, runs of equal size in one system call;
 * sets a drop reason where the system refused. */
void udp_listener_send(struct udp_listener *l, const struct endpoint *to,
                       struct burst *burst);

/* IP and UDP add this to each datagram. */
uint16_t udp_listener_overhead(const struct endpoint *to);
const struct drop_counters *udp_listener_drops(const struct udp_listener *l);

#endif
