/*
 * tls-crypt: control packets encrypted and authenticated with a static key.
 *
 *   opcode/key_id(1) session_id(8) replay_id(4) replay_time(4)
 *   tag(32) encrypted body
 *
 * The tag is HMAC-SHA256 over what stands in front of it and the body in
 * clear; its first half is the initial counter block of AES-256-CTR over the
 * body (openvpn: tls_crypt.h). The wrapped keys of tls-crypt-v2 are sealed
 * the same way.
 */
#ifndef OPENVPN_CONTROL_TLS_CRYPT_H
#define OPENVPN_CONTROL_TLS_CRYPT_H

#include "gateway/base/drop.h"
#include "gateway/crypto/aes_ctr.h"
#include "gateway/crypto/hmac.h"
#include "gateway/openvpn/control/control_packet.h"
#include "gateway/openvpn/keys/static_key.h"

enum {
    TLS_CRYPT_KEY_SIZE = AES_CTR_KEY_SIZE, /* each of the two */
    TLS_CRYPT_TAG_SIZE = 32,
    TLS_CRYPT_OVERHEAD = 8 + TLS_CRYPT_TAG_SIZE,
};

/* One direction, ready to use. */
struct tls_crypt_key {
    struct hmac *hmac;      /* owned */
    struct aes_ctr *cipher; /* owned */
};

/* False when memory is short. */
MUST_USE bool tls_crypt_key_init(struct tls_crypt_key *key,
                                 const uint8_t cipher[TLS_CRYPT_KEY_SIZE],
                                 const uint8_t hmac[TLS_CRYPT_KEY_SIZE]);
void tls_crypt_key_clear(struct tls_crypt_key *key);

/* Encrypts `data` in place. `clear` is authenticated with it. */
MUST_USE bool tls_crypt_encrypt(struct tls_crypt_key *key, struct bytes clear,
                                uint8_t *data, size_t size,
                                uint8_t tag[TLS_CRYPT_TAG_SIZE]);
/* Decrypts to `out`, which has room for as much; wiped if the tag is wrong. */
MUST_USE bool tls_crypt_decrypt(struct tls_crypt_key *key, struct bytes clear,
                                struct bytes sealed,
                                const uint8_t tag[TLS_CRYPT_TAG_SIZE],
                                uint8_t *out);

struct tls_crypt {
    struct tls_crypt_key send;
    struct tls_crypt_key receive;
};

MUST_USE bool tls_crypt_init(struct tls_crypt *c, const struct static_key *key,
                             enum openvpn_role role);
void tls_crypt_clear(struct tls_crypt *c);

/* Dynamic tls-crypt: what the first TLS session exports becomes the key of the
 * negotiations to come, together with the wrapping's own where it has one
 * (openvpn: tls_crypt.c, tls_session_generate_dynamic_tls_crypt_key). */
void tls_crypt_mix(struct static_key *exported,
                   const struct static_key *wrapping);

/* Writes the whole datagram. */
MUST_USE bool tls_crypt_seal(struct tls_crypt *c, uint32_t replay_id,
                             uint32_t replay_time,
                             const struct control_packet *packet,
                             struct writer *datagram);
/* Decrypts the body into `scratch`, from where *out borrows it; `datagram`
 * is at most as large. */
MUST_USE enum drop tls_crypt_open(struct tls_crypt *c, struct bytes datagram,
                                  uint8_t *scratch,
                                  struct control_envelope *out);

#endif
