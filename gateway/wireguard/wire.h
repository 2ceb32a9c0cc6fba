/*
 * WireGuard's four messages. One datagram is one message; integers are little
 * endian, and the first four bytes are the type.
 *
 *   1 initiation    sender(4) ephemeral(32) static(32+16) timestamp(12+16)
 *                   mac1(16) mac2(16)
 *   2 response      sender(4) receiver(4) ephemeral(32) empty(16)
 *                   mac1(16) mac2(16)
 *   3 cookie reply  receiver(4) nonce(24) cookie(16+16)
 *   4 data          receiver(4) counter(8) inner packet and padding, tag(16)
 */
#ifndef WIREGUARD_WIRE_H
#define WIREGUARD_WIRE_H

#include "gateway/base/bytes.h"

enum {
    WIRE_KEY_SIZE = 32,
    WIRE_TAG_SIZE = 16,
    WIRE_MAC_SIZE = 16,
    WIRE_COOKIE_SIZE = 16,
    WIRE_NONCE_SIZE = 24,
    WIRE_TIMESTAMP_SIZE = 12,
    WIRE_INITIATION_SIZE = 148,
    WIRE_RESPONSE_SIZE = 92,
    WIRE_COOKIE_REPLY_SIZE = 64,
    WIRE_HANDSHAKE_MAX = WIRE_INITIATION_SIZE,
    WIRE_DATA_HEADER_SIZE = 16,
    WIRE_DATA_OVERHEAD = WIRE_DATA_HEADER_SIZE + WIRE_TAG_SIZE,
    WIRE_PADDING = 16, /* what an inner packet is padded to a multiple of */
};

enum wire_type {
    WIRE_NONE = 0,
    WIRE_INITIATION = 1,
    WIRE_RESPONSE = 2,
    WIRE_COOKIE_REPLY = 3,
    WIRE_DATA = 4,
};

struct wire_initiation {
    uint32_t sender;
    uint8_t ephemeral[WIRE_KEY_SIZE];
    uint8_t sealed_static[WIRE_KEY_SIZE + WIRE_TAG_SIZE];
    uint8_t sealed_timestamp[WIRE_TIMESTAMP_SIZE + WIRE_TAG_SIZE];
    uint8_t mac1[WIRE_MAC_SIZE], mac2[WIRE_MAC_SIZE];
};

struct wire_response {
    uint32_t sender, receiver;
    uint8_t ephemeral[WIRE_KEY_SIZE];
    uint8_t sealed_empty[WIRE_TAG_SIZE];
    uint8_t mac1[WIRE_MAC_SIZE], mac2[WIRE_MAC_SIZE];
};

struct wire_cookie_reply {
    uint32_t receiver;
    uint8_t nonce[WIRE_NONCE_SIZE];
    uint8_t sealed_cookie[WIRE_COOKIE_SIZE + WIRE_TAG_SIZE];
};

/* By its first four bytes; NONE where they are no type. */
enum wire_type wire_type_of(struct bytes datagram);

/* False where the type or the size is another; then *out is as it was. */
MUST_USE bool wire_read_initiation(struct bytes datagram,
                                   struct wire_initiation *out);
MUST_USE bool wire_read_response(struct bytes datagram,
                                 struct wire_response *out);
MUST_USE bool wire_read_cookie_reply(struct bytes datagram,
                                     struct wire_cookie_reply *out);
MUST_USE bool wire_read_data(struct bytes datagram, uint32_t *receiver,
                             uint64_t *counter);

void wire_write_initiation(uint8_t out[WIRE_INITIATION_SIZE],
                           const struct wire_initiation *m);
void wire_write_response(uint8_t out[WIRE_RESPONSE_SIZE],
                         const struct wire_response *m);
void wire_write_cookie_reply(uint8_t out[WIRE_COOKIE_REPLY_SIZE],
                             const struct wire_cookie_reply *m);
void wire_write_data_header(uint8_t out[WIRE_DATA_HEADER_SIZE],
                            uint32_t receiver, uint64_t counter);

/* The nonce of ChaCha20-Poly1305: four zeroes and the counter. */
void wire_write_nonce(uint8_t out[12], uint64_t counter);

#endif
