/*
 * The control channel's packets without their wrapping.
 *
 *   opcode/key_id(1) session_id(8) | ack_count(1) acks(4*n)
 *   [peer_session_id(8) if n > 0] [message_id(4) unless ACK] payload
 *
 * The part behind the bar is the body: a wrapping may encrypt it (openvpn:
 * ssl_pkt.c).
 */
#ifndef OPENVPN_CONTROL_CONTROL_PACKET_H
#define OPENVPN_CONTROL_CONTROL_PACKET_H

#include "gateway/base/bytes.h"
#include "gateway/openvpn/keys/session_id.h"

enum opcode {
    OPCODE_CONTROL_HARD_RESET_CLIENT_V1 = 1,
    OPCODE_CONTROL_HARD_RESET_SERVER_V1 = 2,
    OPCODE_CONTROL_SOFT_RESET_V1 = 3,
    OPCODE_CONTROL_V1 = 4,
    OPCODE_ACK_V1 = 5,
    OPCODE_DATA_V1 = 6,
    OPCODE_CONTROL_HARD_RESET_CLIENT_V2 = 7,
    OPCODE_CONTROL_HARD_RESET_SERVER_V2 = 8,
    OPCODE_DATA_V2 = 9,
    OPCODE_CONTROL_HARD_RESET_CLIENT_V3 = 10,
    OPCODE_CONTROL_WKC_V1 = 11,
};

enum {
    CONTROL_HEADER_SIZE = 9,        /* opcode/key_id and session id */
    CONTROL_ACKS_MAX = 8,           /* a receiver refuses more */
    CONTROL_ACKS_SENT = 4,          /* SoftEther drops packets with more */
    CONTROL_PACKET_SIZE_MAX = 2048, /* the largest we accept */
};

struct control_packet {
    uint8_t opcode; /* enum opcode, never a data opcode */
    uint8_t key_id; /* 0..7 */
    struct session_id session;
    uint8_t ack_count;
    uint32_t acks[CONTROL_ACKS_MAX];
    struct session_id peer; /* meaningful iff ack_count > 0 */
    uint32_t message_id;    /* meaningful unless ACK_V1 */
    struct bytes payload;   /* borrowed */
};

/* A packet out of its wrapping, not yet parsed. All borrowed. */
struct control_envelope {
    struct bytes header; /* CONTROL_HEADER_SIZE */
    struct bytes body;
    uint32_t replay_id; /* both 0 without a wrapping */
    uint32_t replay_time;
};

static inline uint8_t opcode_of(uint8_t first_byte)
{
    return first_byte >> 3;
}

static inline uint8_t key_id_of(uint8_t first_byte)
{
    return first_byte & 7;
}

static inline bool opcode_is_data(uint8_t opcode)
{
    return opcode == OPCODE_DATA_V1 || opcode == OPCODE_DATA_V2;
}

/* An opcode of the control channel that this program speaks. */
bool opcode_is_control(uint8_t opcode);

/* Reads header and body; `payload` borrows from `body`. Bytes behind the
 * acknowledgements of an ACK_V1 are ignored, as OpenVPN does. */
MUST_USE bool control_packet_parse(struct bytes header, struct bytes body,
                                   struct control_packet *out);
void control_packet_write_header(struct writer *w,
                                 const struct control_packet *packet);
void control_packet_write_body(struct writer *w,
                               const struct control_packet *packet);

#endif
