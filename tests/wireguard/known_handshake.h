/* The whole handshake of tests/vectors/wireguard.txt. */
#ifndef TESTS_WIREGUARD_KNOWN_HANDSHAKE_H
#define TESTS_WIREGUARD_KNOWN_HANDSHAKE_H

#include "gateway/wireguard/handshake.h"

enum {
    KNOWN_INITIATOR_INDEX = 0x11223344,
    KNOWN_RESPONDER_INDEX = 0x55667788,
};

struct known_handshake {
    uint8_t private_i[32], public_i[32], private_r[32], public_r[32];
    uint8_t ephemeral_i[32], ephemeral_r[32], psk[32];
    uint8_t timestamp[12];
    uint8_t c[8][32], h[7][32]; /* by the numbers of the file; from 1 on */
    uint8_t initiation[WIRE_INITIATION_SIZE], response[WIRE_RESPONSE_SIZE];
    uint8_t initiation_with_mac2[WIRE_INITIATION_SIZE];
    uint8_t response_without_psk[WIRE_RESPONSE_SIZE];
    uint8_t i_to_r[32], r_to_i[32], i_to_r_without_psk[32];
    uint8_t keepalive[32], inner[38], data[80], data_back[80];
    uint8_t cookie_secret[32], cookie[16], cookie_reply[64];
};

void known_handshake_read(struct known_handshake *k);

#endif
