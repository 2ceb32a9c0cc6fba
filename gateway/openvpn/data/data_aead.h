/*
 * AEAD with short packet numbers, which every server speaks.
 *
 *   header packet_id(4) tag(16) ciphertext
 *
 * nonce = packet_id | first 8 bytes of the direction's hmac slice;
 * authenticated with it: packet_id, in DATA_V2 also the header.
 */
#ifndef OPENVPN_DATA_DATA_AEAD_H
#define OPENVPN_DATA_DATA_AEAD_H

#include "gateway/openvpn/data/data_batch.h"
#include "gateway/openvpn/data/data_functions.h"
#include "gateway/openvpn/data/data_usage.h"
#include "gateway/openvpn/keys/replay_window.h"

enum {
    DATA_AEAD_ID_SIZE = 4,
    DATA_AEAD_IV_SIZE = AEAD_NONCE_SIZE - DATA_AEAD_ID_SIZE,
    DATA_AEAD_OVERHEAD = DATA_AEAD_ID_SIZE + AEAD_TAG_SIZE,
};

struct data_aead {
    struct data_channel channel;
    struct aead *send, *receive;
    struct data_usage sent, received;
    uint32_t last_id; /* sent */
    struct replay_window seen;
    uint8_t send_iv[DATA_AEAD_IV_SIZE];
    uint8_t receive_iv[DATA_AEAD_IV_SIZE];
    struct data_batch batch;
};

/* As data_channel_new(). */
struct data_channel *data_aead_new(const struct data_channel_options *o,
                                   const struct key_material *material);

#endif
