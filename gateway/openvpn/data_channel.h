/*
 * One generation of data keys, both directions: packet numbers, AEAD, replay
 * window. Packets are sealed and opened in place, in bursts.
 *
 *   DATA_V2: opcode/key_id(1) peer_id(3) packet_id(4) tag(16) ciphertext
 *   DATA_V1: opcode/key_id(1)            packet_id(4) tag(16) ciphertext
 *
 * (openvpn: crypto.c, openvpn_encrypt_aead.)
 */
#ifndef OPENVPN_DATA_CHANNEL_H
#define OPENVPN_DATA_CHANNEL_H

#include "gateway/base/burst.h"
#include "gateway/base/instant.h"
#include "gateway/openvpn/aead.h"
#include "gateway/openvpn/key_derivation.h"

enum { PEER_ID_NONE = 0xffffff };

struct data_channel; /* heap; owns keys and replay window */

struct data_channel_options {
    enum openvpn_role role;
    enum aead_cipher cipher;
    enum aead_library library; /* AEAD_FASTEST but in tests */
    uint8_t key_id;
    uint32_t peer_id; /* PEER_ID_NONE: send DATA_V1 */
    uint32_t replay_packets;
    uint32_t replay_seconds;
};

/* NULL when memory is short or the cipher cannot be had. */
struct data_channel *data_channel_new(const struct data_channel_options *o,
                                      const struct key_material *material);
void data_channel_free(struct data_channel *c); /* wipes */

/* Where seal() expects the inner packet. Constant for the channel's life. */
struct burst_layout data_channel_layout(const struct data_channel *c);

/* Seals every datagram of the burst that has an inner packet and no drop
 * reason; sets DROP_SEAL_LIMIT where packet numbers ran out. */
void data_channel_seal(struct data_channel *c, struct burst *burst);

/* Opens datagrams [first, first + count), all of which carry this channel's
 * key id: sets inner_offset and inner_size, or a drop reason. */
void data_channel_open(struct data_channel *c, struct instant now,
                       struct burst *burst, size_t first, size_t count);

/* Bytes and packets in both directions, for renegotiation limits; true once
 * the packet number is so high that new keys are due. */
struct data_channel_use {
    uint64_t bytes;
    uint64_t packets;
    bool exhausted;
};
struct data_channel_use data_channel_use(const struct data_channel *c);

#endif
