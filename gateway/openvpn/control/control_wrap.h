/*
 * The control channel's wrapping: none, tls-auth (HMAC), tls-crypt, or
 * tls-crypt-v2, whose client's first packets carry its wrapped key in clear.
 * The door to tls_auth, tls_crypt and tls_crypt_v2; the rest of the session
 * does not know which one is in use (openvpn: ssl_pkt.c, tls_crypt.c).
 */
#ifndef OPENVPN_CONTROL_CONTROL_WRAP_H
#define OPENVPN_CONTROL_CONTROL_WRAP_H

#include "gateway/base/instant.h"
#include "gateway/openvpn/control/tls_auth.h"
#include "gateway/openvpn/control/tls_crypt.h"
#include "gateway/openvpn/control/tls_crypt_v2.h"
#include "gateway/openvpn/keys/replay_window.h"

enum control_wrap_kind {
    CONTROL_WRAP_NONE,
    CONTROL_WRAP_TLS_AUTH,
    CONTROL_WRAP_TLS_CRYPT,
    CONTROL_WRAP_TLS_CRYPT_V2,
};

enum { CONTROL_WRAP_OVERHEAD_MAX = TLS_AUTH_HMAC_MAX + TLS_AUTH_REPLAY_SIZE };

/* Owns prepared keys. */
struct control_wrap {
    enum control_wrap_kind kind;
    union {
        struct tls_auth auth;
        struct tls_crypt crypt;
    };
    uint32_t send_id;      /* the last replay number sent */
    uint32_t send_time;    /* unix time, latched at the start */
    uint32_t receive_time; /* of the numbers in `seen` */
    struct replay_window seen;
    /* tls-crypt-v2, client: appended to reset and WKC packets, opaque */
    uint16_t wrapped_key_size;
    uint8_t wrapped_key[TLS_CRYPT_V2_WRAPPED_MAX];
};

/* `unix_time` seeds the replay field of what we send. Each: false when memory
 * is short or the digest is unknown. */
MUST_USE bool control_wrap_init_none(struct control_wrap *w);
/* `direction`: 0, 1 or -1 for both ways alike. `digest` as
 * digest_find() spells it. */
MUST_USE bool control_wrap_init_tls_auth(struct control_wrap *w,
                                         const struct static_key *key,
                                         int direction, const char *digest,
                                         uint32_t unix_time);
MUST_USE bool control_wrap_init_tls_crypt(struct control_wrap *w,
                                          const struct static_key *key,
                                          enum openvpn_role role,
                                          uint32_t unix_time);
/* The client's end of tls-crypt-v2: its own key and the opaque wrapped one.
 * The server's end of one session is tls-crypt with the unwrapped key. */
MUST_USE bool control_wrap_init_tls_crypt_v2(struct control_wrap *w,
                                             const struct static_key *key,
                                             struct bytes wrapped_key,
                                             uint32_t unix_time);
/* Forgets all numbers, seen and sent, as if it had just been made: for a
 * listener that answers strangers and remembers none of them. */
void control_wrap_restart(struct control_wrap *w, uint32_t unix_time);
/* Wipes the keys. */
void control_wrap_clear(struct control_wrap *w);

/* Bytes this wrapping adds to an unwrapped packet (not the wrapped key, which
 * adds `wrapped_key_size` to the two opcodes that carry it). */
size_t control_wrap_overhead(const struct control_wrap *w);

/* Writes the whole datagram with a fresh replay number; with opcodes
 * HARD_RESET_CLIENT_V3 and WKC_V1 the wrapped key follows. False if it does
 * not fit or the replay numbers are used up. */
MUST_USE bool control_wrap_seal(struct control_wrap *w,
                                const struct control_packet *packet,
                                struct writer *datagram);

/*
 * Authenticates, decrypts into `scratch` where needed, parses, and checks the
 * replay number. *out borrows from `datagram` or `scratch`. DROP_NONE, or why
 * it was refused; then nothing of `w` has changed.
 *
 * A server with tls-crypt-v2 gives `wrapped_key`: it becomes what follows the
 * packet, empty for most opcodes. With NULL, opcodes that carry a wrapped key
 * are refused.
 */
enum { CONTROL_WRAP_SCRATCH = CONTROL_PACKET_SIZE_MAX };
MUST_USE enum drop control_wrap_open(struct control_wrap *w, struct instant now,
                                     struct bytes datagram,
                                     uint8_t scratch[CONTROL_WRAP_SCRATCH],
                                     struct control_packet *out,
                                     struct bytes *wrapped_key);

#endif
