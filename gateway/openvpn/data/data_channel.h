/*
 * One generation of data keys, both directions: packet numbers, cipher, replay
 * window. Packets are sealed and opened in place, in bursts. Behind this door
 * is one of three formats (openvpn: crypto.c):
 *
 *   AEAD   header packet_id(4) tag(16) ciphertext
 *   EPOCH  header epoch(2) counter(6) ciphertext tag(16)
 *   CBC    header hmac iv ciphertext of: packet_id(4) packet padding
 *
 * with the header of data_packet.h; CBC with a static key has another, see
 * data_cbc.h. Framing of compression and pings are the
 * caller's: they are inner packets here.
 */
#ifndef OPENVPN_DATA_DATA_CHANNEL_H
#define OPENVPN_DATA_DATA_CHANNEL_H

#include "gateway/base/instant.h"
#include "gateway/crypto/aead.h"
#include "gateway/openvpn/data/data_packet.h"
#include "gateway/openvpn/keys/key_derivation.h"
#include "gateway/packet/burst.h"

struct data_channel; /* heap; owns keys and replay window */

struct data_channel_options {
    enum openvpn_role role;
    enum aead_cipher cipher;
    uint8_t cbc_key_size;      /* AES-CBC with so many bytes; 0: AEAD */
    bool epoch;                /* AEAD in EPOCH format; needs a peer id */
    enum aead_library library; /* AEAD_FASTEST but in tests */
    uint8_t key_id;
    uint32_t peer_id;        /* PEER_ID_NONE: send DATA_V1 */
    uint32_t replay_packets; /* 0 .. REPLAY_WINDOW_MAX */
    uint32_t replay_seconds;
    /* CBC only: a static key, and when its count of packets begins, in
     * seconds since 1970: later than any before with this key. */
    bool static_key;
    uint32_t unix_time;
    /* CBC only: the digest of `auth`, by OpenVPN's name, and randomness */
    const char *digest;
    void (*random)(void *context, uint8_t *out, size_t size);
    void *random_context;
};

/* Sets cipher and cbc_key_size by OpenVPN's name of the cipher, in any case.
 * False if this program does not speak it. */
MUST_USE bool data_channel_choose(struct data_channel_options *o,
                                  const char *cipher);

/* NULL when memory is short, the cipher or its digest cannot be had, a key is
 * zero, or the options contradict each other (EPOCH with CBC or without a
 * peer id, AEAD with a static key). */
struct data_channel *data_channel_new(const struct data_channel_options *o,
                                      const struct key_material *material);
void data_channel_free(struct data_channel *c); /* wipes */

/* The place where seal() expects the inner packet. Constant for the channel's
 * life. */
struct burst_layout data_channel_layout(const struct data_channel *c);

/* Seals every datagram of the burst that has an inner packet and no drop
 * reason; sets DROP_SEAL_LIMIT where packet numbers ran out. */
void data_channel_seal(struct data_channel *c, struct burst *burst);

/* Opens datagrams [first, first + count), all of which carry this channel's
 * key id: sets inner_offset and inner_size, or a drop reason. Those that have
 * one already are left alone. */
void data_channel_open(struct data_channel *c, struct instant now,
                       struct burst *burst, size_t first, size_t count);

/* Bytes (of whole datagrams) and packets in both directions, for
 * renegotiation limits; `exhausted` once new keys are due: packet numbers
 * near their end, or the cipher's limit of use or of forgeries. */
struct data_channel_use {
    uint64_t bytes;
    uint64_t packets;
    bool exhausted;
};
struct data_channel_use data_channel_use(const struct data_channel *c);

/* As aead_library_name(). */
const char *data_channel_library(const struct data_channel *c);

#endif
