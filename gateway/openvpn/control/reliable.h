/*
 * Reliable, ordered delivery of control messages for one key_id: message ids
 * from 0 without gaps, a send window with retransmission, a receive window
 * with reordering, and acknowledgements that ride on whatever is sent next
 * (openvpn: reliable.c).
 */
#ifndef OPENVPN_CONTROL_RELIABLE_H
#define OPENVPN_CONTROL_RELIABLE_H

#include "gateway/base/instant.h"
#include "gateway/openvpn/control/control_packet.h"

enum {
    RELIABLE_SEND_WINDOW = 4,     /* ids from the oldest unacknowledged one;
                                     2.4 peers send no more either */
    RELIABLE_RECEIVE_WINDOW = 12, /* ids from the next one in order */
    RELIABLE_EARLY_AFTER = 3,     /* resend once so many later ids were acked */
    RELIABLE_PAUSE_MAX = 60,      /* s; doubling ends here */
    RELIABLE_PAYLOAD_MAX = CONTROL_PACKET_SIZE_MAX,
};

struct reliable_slot {
    bool used;
    uint8_t opcode;
    uint8_t later_acks; /* send: higher ids acked since the last sending */
    uint16_t size;
    uint32_t id;
    struct instant next_try; /* send */
    struct duration timeout; /* send: the pause after the next sending */
    uint8_t *payload;        /* owned; a server has thousands of windows, and
                                hardly ever something in one */
};

struct reliable {
    struct duration initial_timeout; /* tls-timeout */
    uint32_t next_send_id;
    uint32_t next_receive_id;
    struct reliable_slot send[RELIABLE_SEND_WINDOW];
    struct reliable_slot receive[RELIABLE_RECEIVE_WINDOW];
    uint32_t acks_due[CONTROL_ACKS_MAX]; /* newest first */
    uint8_t acks_due_count;
    uint32_t acks_sent[CONTROL_ACKS_MAX]; /* most recent first, for repeats */
    uint8_t acks_sent_count;
};

void reliable_init(struct reliable *r, struct duration initial_timeout);
/* Message 0 went both ways before this was here to see it, and what follows
 * repeats its acknowledgement. Nothing may be queued yet. */
void reliable_skip_first(struct reliable *r);
/* Wipes what is queued. */
void reliable_clear(struct reliable *r);

/* Room in the send window. */
bool reliable_can_send(const struct reliable *r);
/* Every message sent so far was acknowledged. */
bool reliable_all_acked(const struct reliable *r);
/* Queues a message (copied) under the next id, due now. False without room or
 * memory, or when it is larger than any packet. */
MUST_USE bool reliable_send(struct reliable *r, struct instant now,
                            uint8_t opcode, struct bytes payload);

/* Takes in the ack list of a packet that authenticated. Unknown ids are
 * ignored. */
void reliable_acked(struct reliable *r, const uint32_t *ids, uint8_t count);

enum reliable_verdict {
    RELIABLE_STORED,  /* new; acknowledged with the next packet */
    RELIABLE_REPEAT,  /* seen before; acknowledged again, not stored */
    RELIABLE_OUTSIDE, /* outside the window, or no memory: ignored */
};
/* Takes in a message. */
enum reliable_verdict reliable_receive(struct reliable *r, uint32_t id,
                                       uint8_t opcode, struct bytes payload);
/* The next message in order, borrowed until reliable_consume(); false if it
 * has not come. */
MUST_USE bool reliable_next(const struct reliable *r, uint8_t *opcode,
                            uint32_t *id, struct bytes *payload);
void reliable_consume(struct reliable *r);

/* The next packet to transmit at `now`, first sending or repeat, oldest first:
 * sets opcode, message_id and payload (borrowed until it is acknowledged) and
 * the ack list, at most CONTROL_ACKS_SENT with repeats of earlier ones. The
 * rest of *out is left alone. False if nothing is due. */
MUST_USE bool reliable_transmit(struct reliable *r, struct instant now,
                                struct control_packet *out);
/* The same for an ACK_V1 with acknowledgements that are due; false if none is.
 * More may be left: ask again. */
MUST_USE bool reliable_transmit_ack(struct reliable *r,
                                    struct control_packet *out);
/* Re-arms all pending messages at once with the initial timeout: done on the
 * peer's first packet of a negotiation. */
void reliable_burst(struct reliable *r, struct instant now);

/* When reliable_transmit() will next have something, perhaps in the past;
 * never if nothing is pending. Acknowledgements do not count. */
struct instant reliable_deadline(const struct reliable *r);

#endif
