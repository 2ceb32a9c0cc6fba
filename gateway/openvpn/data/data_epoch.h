/*
 * The AEAD format of OpenVPN 2.7, whose keys change without a negotiation.
 *
 *   header(4) epoch(2) counter(6) ciphertext tag(16)
 *
 * nonce = (epoch | counter | 0000) XOR mask; authenticated with it: header,
 * epoch and counter. DATA_V2 only. A sender moves to the next epoch when its
 * key is used up, or to ask the peer for one. A receiver knows the current
 * epoch, the one before it, and some to come; a packet that authenticates
 * under one of those makes it the current one, and the own sending follows
 * (openvpn: crypto_epoch.c).
 */
#ifndef OPENVPN_DATA_DATA_EPOCH_H
#define OPENVPN_DATA_DATA_EPOCH_H

#include "gateway/openvpn/data/data_batch.h"
#include "gateway/openvpn/data/data_functions.h"
#include "gateway/openvpn/data/data_usage.h"
#include "gateway/openvpn/keys/epoch_key.h"
#include "gateway/openvpn/keys/replay_window.h"

enum {
    DATA_EPOCH_ID_SIZE = 8,
    DATA_EPOCH_HEAD = DATA_V2_HEADER_SIZE + DATA_EPOCH_ID_SIZE,
    DATA_EPOCH_FUTURE = 4,        /* as many as OpenVPN knows */
    DATA_EPOCH_EXHAUSTED = 0xf000 /* sending in it: renegotiate */
};

#define DATA_EPOCH_COUNTER_MAX ((UINT64_C(1) << 48) - 1)

/* The last epoch that is received: the future ones behind it have to exist. */
enum { DATA_EPOCH_LAST = UINT16_MAX - DATA_EPOCH_FUTURE - 1 };

struct data_epoch_key {
    struct aead *aead; /* NULL: none, or a future one that nobody used yet */
    uint16_t epoch;    /* 0: none */
    uint8_t mask[AEAD_NONCE_SIZE];
    struct data_usage usage;
};

struct data_epoch {
    struct data_channel channel;
    enum aead_cipher cipher;
    enum aead_library library;

    struct epoch_key send_chain; /* of the epoch that is sent in */
    struct data_epoch_key send;
    uint64_t counter; /* the last one sent in it */

    struct epoch_key receive_chain; /* of `current` */
    struct data_epoch_key current, retiring;
    struct data_epoch_key future[DATA_EPOCH_FUTURE]; /* current.epoch + 1 .. */
    struct replay_window current_seen, retiring_seen;

    struct data_batch batch; /* all for one key */
};

/* As data_channel_new(). */
struct data_channel *data_epoch_new(const struct data_channel_options *o,
                                    const struct key_material *material);

#endif
