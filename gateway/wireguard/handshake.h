/*
 * The handshake, Noise_IKpsk2 (wireguard paper 5.4), both roles. It is told
 * all that is random and what time it is; MACs and cookies are cookie.h's.
 *
 *   initiator                                responder
 *   handshake_initiate    -- initiation -->  handshake_identify
 *                                            handshake_accept
 *   handshake_finish      <-- response ----  handshake_respond
 *   handshake_keys                           handshake_keys
 *
 * The responder's state lives from one message to its answer only. A step that
 * says no leaves a state that must not be used further.
 */
#ifndef WIREGUARD_HANDSHAKE_H
#define WIREGUARD_HANDSHAKE_H

#include "gateway/wireguard/wire.h"

/* Our own identity. */
struct identity {
    uint8_t private_key[WIRE_KEY_SIZE], public_key[WIRE_KEY_SIZE];
};

/* The other end's identity; `shared` is what both static keys give. */
struct handshake_peer {
    uint8_t public_key[WIRE_KEY_SIZE];
    uint8_t shared[WIRE_KEY_SIZE];
    uint8_t preshared[WIRE_KEY_SIZE]; /* zeroes: none */
};

struct handshake {
    bool initiator;
    uint32_t local_index, remote_index;
    uint8_t chaining_key[WIRE_KEY_SIZE], hash[WIRE_KEY_SIZE];
    uint8_t ephemeral[WIRE_KEY_SIZE]; /* ours, private */
    uint8_t remote_ephemeral[WIRE_KEY_SIZE];
    uint8_t remote_static[WIRE_KEY_SIZE]; /* responder */
};

struct handshake_keys {
    uint8_t send[WIRE_KEY_SIZE], receive[WIRE_KEY_SIZE];
};

/* Clamps the private key. */
void handshake_identity_init(struct identity *identity,
                             const uint8_t private_key[WIRE_KEY_SIZE]);
/* False, and it is wiped, where the key cannot be anybody's. */
MUST_USE bool handshake_peer_init(struct handshake_peer *peer,
                                  const struct identity *identity,
                                  const uint8_t public_key[WIRE_KEY_SIZE],
                                  const uint8_t preshared[WIRE_KEY_SIZE]);

/* `ephemeral` is random. The message has no MACs yet. */
MUST_USE bool handshake_initiate(struct handshake *h,
                                 const struct identity *identity,
                                 const struct handshake_peer *peer,
                                 const uint8_t ephemeral[WIRE_KEY_SIZE],
                                 uint32_t local_index,
                                 const uint8_t timestamp[WIRE_TIMESTAMP_SIZE],
                                 struct wire_initiation *out);

/* Tells the initiator's key, in `remote_static`; it is not proven yet. */
MUST_USE bool handshake_identify(struct handshake *h,
                                 const struct identity *identity,
                                 const struct wire_initiation *m);
/* The peer is the one that was told; false where it is an impostor. */
MUST_USE bool handshake_accept(struct handshake *h,
                               const struct handshake_peer *peer,
                               const struct wire_initiation *m,
                               uint8_t timestamp[WIRE_TIMESTAMP_SIZE]);
/* The message has no MACs yet. */
MUST_USE bool handshake_respond(struct handshake *h,
                                const struct handshake_peer *peer,
                                const uint8_t ephemeral[WIRE_KEY_SIZE],
                                uint32_t local_index,
                                struct wire_response *out);

/* `h`, of handshake_initiate(), stays as it is: somebody else may have
 * answered, and the peer may do so yet. */
MUST_USE bool handshake_finish(const struct handshake *h,
                               const struct identity *identity,
                               const struct handshake_peer *peer,
                               const struct wire_response *m,
                               struct handshake *done);

/* Wipes `h`. */
void handshake_keys(struct handshake *h, struct handshake_keys *out);
void handshake_clear(struct handshake *h);

#endif
