/*
 * tls-auth: control packets authenticated with a static key, in clear.
 *
 *   opcode/key_id(1) session_id(8) hmac replay_id(4) replay_time(4) body
 *
 * The HMAC is over replay_id, replay_time, opcode/key_id, session_id and the
 * body in this order; its digest is the profile's `auth` (openvpn: ssl_pkt.c,
 * swap_hmac).
 */
#ifndef OPENVPN_CONTROL_TLS_AUTH_H
#define OPENVPN_CONTROL_TLS_AUTH_H

#include "gateway/base/drop.h"
#include "gateway/crypto/hmac.h"
#include "gateway/openvpn/control/control_packet.h"
#include "gateway/openvpn/keys/static_key.h"

enum { TLS_AUTH_HMAC_MAX = HMAC_SIZE_MAX, TLS_AUTH_REPLAY_SIZE = 8 };

struct tls_auth {
    size_t hmac_size;
    struct hmac *send, *receive; /* owned */
};

/* `direction`: 0, 1 or -1 for both ways alike. `digest` as digest_find() spells
 * it. False when memory is short or the digest is unknown. */
MUST_USE bool tls_auth_init(struct tls_auth *a, const struct static_key *key,
                            int direction, const char *digest);
void tls_auth_clear(struct tls_auth *a);

/* Writes the whole datagram. */
MUST_USE bool tls_auth_seal(struct tls_auth *a, uint32_t replay_id,
                            uint32_t replay_time,
                            const struct control_packet *packet,
                            struct writer *datagram);
/* *out borrows from `datagram`. */
MUST_USE enum drop tls_auth_open(struct tls_auth *a, struct bytes datagram,
                                 struct control_envelope *out);

#endif
