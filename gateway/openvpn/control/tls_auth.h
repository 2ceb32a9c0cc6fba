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

#include <mbedtls/md.h>

#include "gateway/base/drop.h"
#include "gateway/openvpn/control/control_packet.h"
#include "gateway/openvpn/keys/static_key.h"

enum { TLS_AUTH_HMAC_MAX = 64, TLS_AUTH_REPLAY_SIZE = 8 };

/* Not to be copied. */
struct tls_auth {
    uint8_t hmac_size;
    mbedtls_md_context_t send;
    mbedtls_md_context_t receive;
};

/* `direction`: 0, 1 or -1 for both ways alike. `digest`: mbedtls_md_type_t.
 * False when memory is short or the digest is unknown. */
MUST_USE bool tls_auth_init(struct tls_auth *a, const struct static_key *key,
                            int direction, uint8_t digest);
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
