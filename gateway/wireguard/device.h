/*
 * WireGuard for one private key: its peers, their handshakes in both roles,
 * keys, timers, and the packets under them. Sans I/O: it is told what came
 * and what time it is, and says what is to be sent.
 *
 * After each input, `while (device_poll(d, now, &send)) transmit(&send)`, then
 * device_deadline(). Packets go through device_seal() and device_open(), in
 * place, in bursts. The client decides what a connection is, and tells it: it
 * looks at device_peer() after each input.
 */
#ifndef WIREGUARD_DEVICE_H
#define WIREGUARD_DEVICE_H

#include "gateway/base/drop.h"
#include "gateway/crypto/aead.h"
#include "gateway/packet/burst.h"
#include "gateway/wireguard/peer.h"

struct device; /* heap */

struct device_env {
    void *context;
    /* Cryptographic randomness; cannot fail. */
    void (*random)(void *context, uint8_t *out, size_t size);
    /* The wall clock, nanoseconds since 1970. */
    int64_t (*wall_clock)(void *context);
    /* The last one that a peer was told; outlives the device. */
    int64_t *latest_stamp;
};

struct device_options {
    const uint8_t *private_key;
    uint16_t peers_max;
    uint16_t mtu; /* of inner packets: padding ends there */
    enum aead_library library;
};

/* Copies all. NULL when memory is short. */
struct device *device_new(const struct device_options *options,
                          const struct device_env *env);
void device_free(struct device *d); /* wipes; NULL is none */

/* The number of the new peer, or ALLOWED_IPS_NOBODY: its key is nobody's, or
 * there are too many. `preshared` may be NULL. `keepalive` is in seconds. */
uint16_t device_add_peer(struct device *d,
                         const uint8_t public_key[WIRE_KEY_SIZE],
                         const uint8_t *preshared, uint16_t keepalive);
/* False when there are too many. */
MUST_USE bool device_allow(struct device *d, uint16_t peer,
                           const struct prefix *prefix);
void device_set_mtu(struct device *d, uint16_t mtu);
/* The peer's address; it moves with its authentic messages. Family NONE: not
 * known. */
void device_set_endpoint(struct device *d, uint16_t peer,
                         const struct endpoint *endpoint);

/* Shakes hands, by new tries: five seconds after the last one, or at once. */
void device_connect(struct device *d, uint16_t peer, struct instant now,
                    bool at_once);
/* Forgets keys and what waits. */
void device_disconnect(struct device *d, uint16_t peer);

void device_expire(struct device *d, struct instant now);
struct instant device_deadline(const struct device *d);

struct device_send {
    uint16_t peer; /* ALLOWED_IPS_NOBODY: to a stranger */
    struct endpoint to;
    uint8_t tos;
    struct bytes bytes; /* until the next call */
};
MUST_USE bool device_poll(struct device *d, struct instant now,
                          struct device_send *out);

/* A message of device_poll() could not be sent. */
void device_count_lost(struct device *d, enum drop why);

struct burst_layout device_layout(const struct device *d);
/* Seals what has a key; what waits for one has SEAL_HELD. The peer's number is
 * the datagram's endpoint. */
void device_seal(struct device *d, struct instant now, struct burst *burst);
/* A packet of our own, copied; device_poll() sends it, or holds it until there
 * is a key (SEAL_HELD). */
enum drop device_put(struct device *d, struct instant now, struct bytes packet);
/* Receives datagrams from the burst's source. */
void device_open(struct device *d, struct instant now, struct burst *burst);

/* Borrowed; changes with each input. */
const struct peer *device_peer(const struct device *d, uint16_t number);
uint16_t device_peer_count(const struct device *d);
const struct drop_counters *device_drops(const struct device *d);
const uint8_t *device_public_key(const struct device *d);

#endif
