/*
 * The header of a data packet, which stands in clear.
 *
 *   DATA_V1: opcode/key_id(1)
 *   DATA_V2: opcode/key_id(1) peer_id(3)
 *
 * A client sends V2 once it was given a peer id; both are received (openvpn:
 * ssl.c, tls_prepend_opcode_v2).
 */
#ifndef OPENVPN_DATA_DATA_PACKET_H
#define OPENVPN_DATA_DATA_PACKET_H

#include "gateway/openvpn/control/control_packet.h"

enum {
    DATA_V1_HEADER_SIZE = 1,
    DATA_V2_HEADER_SIZE = 4,
    DATA_HEADER_SIZE_MAX = DATA_V2_HEADER_SIZE,
};

enum { PEER_ID_NONE = 0xffffff };

struct data_packet {
    uint8_t opcode; /* DATA_V1 or DATA_V2 */
    uint8_t key_id;
    uint8_t header_size;
    uint32_t peer_id; /* PEER_ID_NONE in DATA_V1 */
};

/* False unless it is a data packet with a whole header. */
MUST_USE bool data_packet_parse(struct bytes datagram, struct data_packet *out);

/* DATA_V2, or DATA_V1 if there is no peer id; returns the header's size. */
size_t data_packet_write(uint8_t out[DATA_HEADER_SIZE_MAX], uint8_t key_id,
                         uint32_t peer_id);

/* The size of the header that this first byte starts; 0 if it is not that of
 * a data packet. */
static inline size_t data_packet_header_size(uint8_t first_byte)
{
    switch (opcode_of(first_byte)) {
    case OPCODE_DATA_V1:
        return DATA_V1_HEADER_SIZE;
    case OPCODE_DATA_V2:
        return DATA_V2_HEADER_SIZE;
    default:
        return 0;
    }
}

#endif
