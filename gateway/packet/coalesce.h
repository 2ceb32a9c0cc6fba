/*
 * Joins packets that came out of the tunnel one after another and are
 * neighbours in a flow (same addresses, ports, flags and options, next
 * sequence number, equal size but for the last) into one TCP or UDP
 * super-packet, without copying: the payloads stay where they were received.
 * Each one's checksum is verified first, so that joining launders nothing.
 */
#ifndef PACKET_COALESCE_H
#define PACKET_COALESCE_H

#include "gateway/packet/burst.h"
#include "gateway/packet/packet.h"

struct coalesce; /* heap: the piece lists of one burst */

struct coalesce *coalesce_new(void);
void coalesce_free(struct coalesce *c);

/* Whether UDP is joined too: only where the links take UDP super-packets
 * (Linux 6.2). At first it is not. */
void coalesce_join_udp(struct coalesce *c, bool join);

/*
 * Turns the opened datagrams of `burst` from *next on into packets of `batch`
 * (views; their headroom is what the tunnel's header left in front). Order
 * within a flow is kept. Stops when the batch is full, with *next at the first
 * datagram not taken; true when all are done. The packets are parsed; datagrams
 * that do not parse become packets with that reason as `drop`, for the router
 * to count. The result is valid until the burst's memory or `c` is used again.
 */
bool coalesce(struct coalesce *c, struct burst *burst, uint16_t *next,
              struct packet_batch *batch);

#endif
