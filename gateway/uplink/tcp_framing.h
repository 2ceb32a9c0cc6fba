/*
 * OpenVPN over TCP: each packet stands behind its length, 16 bits that do not
 * count themselves. No socket here.
 *
 *   in   what recv() gave -> whole packets as views, the rest kept
 *   out  a burst -> parts for one sendmsg(); what that did not take -> a queue
 *
 * A packet whose first byte went out is never given up: the peer could not
 * find the next one.
 */
#ifndef UPLINK_TCP_FRAMING_H
#define UPLINK_TCP_FRAMING_H

#include <sys/uio.h>

#include "gateway/packet/burst.h"

enum {
    TCP_FRAMING_LENGTH_SIZE = 2,
    /* Larger than a packet of any MTU; smaller than what two letters are as a
     * number, so that HTTP, SSH or SMTP are seen for what they are. */
    TCP_FRAMING_PACKET_MAX = 16384,
};

/* --- In ------------------------------------------------------------------ */

enum tcp_framing_result {
    TCP_FRAMING_PACKETS,   /* the burst has some */
    TCP_FRAMING_NEED_MORE, /* there is no whole packet left */
    TCP_FRAMING_BROKEN,    /* that is no packet, and no end of one is known */
};

struct tcp_framing_input {
    uint8_t *memory; /* owned */
    size_t capacity;
    size_t start, end; /* of what was received and not yet given */
};

/* At least one packet with its length must fit. False when memory is short. */
MUST_USE bool tcp_framing_input_init(struct tcp_framing_input *in,
                                     size_t capacity);
void tcp_framing_input_clear(struct tcp_framing_input *in);

/* The memory to receive into, never empty. Ends all views. */
uint8_t *tcp_framing_space(struct tcp_framing_input *in, size_t *size);
void tcp_framing_received(struct tcp_framing_input *in, size_t size);

/* Adds packets to the burst until it is full, as views. Once BROKEN always
 * BROKEN. */
enum tcp_framing_result tcp_framing_next(struct tcp_framing_input *in,
                                         struct burst *burst);

/* --- Out ----------------------------------------------------------------- */

/* A burst as it is to be on the wire. */
struct tcp_framing_parts {
    unsigned count;
    size_t size; /* of all */
    struct iovec parts[2 * BURST_DATAGRAMS_MAX];
    uint8_t lengths[BURST_DATAGRAMS_MAX][TCP_FRAMING_LENGTH_SIZE];
};

/* Every datagram without a drop reason behind its length. An empty one has no
 * place in a stream and gets one. */
void tcp_framing_gather(struct burst *burst, struct drop_counters *drops,
                        struct tcp_framing_parts *out);

/* Bytes that wait for the kernel. Packets of qubes may fill it up to `limit`;
 * the room above is for control packets and for the end of a begun one. */
struct tcp_framing_queue {
    uint8_t *memory; /* owned */
    size_t capacity, limit;
    size_t start, size;
};

enum { TCP_FRAMING_QUEUE_LEAST = TCP_FRAMING_LENGTH_SIZE + UINT16_MAX };

/* `limit` <= `capacity`, which is TCP_FRAMING_QUEUE_LEAST at least. False when
 * memory is short. */
MUST_USE bool tcp_framing_queue_init(struct tcp_framing_queue *q,
                                     size_t capacity, size_t limit);
void tcp_framing_queue_clear(struct tcp_framing_queue *q);

/* The first `sent` bytes of the gathered burst are gone (0 unless the queue was
 * empty). Takes the rest; whole datagrams for which there is no room get
 * DROP_UPLINK_BUSY. */
void tcp_framing_keep(struct tcp_framing_queue *q, struct burst *burst,
                      size_t sent, struct drop_counters *drops);
struct bytes tcp_framing_queued(const struct tcp_framing_queue *q);
void tcp_framing_sent(struct tcp_framing_queue *q, size_t size);

#endif
