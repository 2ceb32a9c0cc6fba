/*
 * The 256 bytes that both ends derive for one generation of data keys, by
 * the TLS exporter or by OpenVPN's own use of the TLS 1.0 PRF (openvpn:
 * ssl.c), and their split by direction.
 */
#ifndef OPENVPN_KEYS_KEY_DERIVATION_H
#define OPENVPN_KEYS_KEY_DERIVATION_H

#include "gateway/openvpn/keys/session_id.h"
#include "gateway/openvpn/keys/static_key.h"

enum { KEY_MATERIAL_SIZE = 256 };

#define KEY_EXPORT_LABEL         "EXPORTER-OpenVPN-datakeys"
#define KEY_EXPORT_LABEL_DYNAMIC "EXPORTER-OpenVPN-dynamic-tls-crypt"

struct key_material {
    uint8_t bytes[KEY_MATERIAL_SIZE]; /* slices as in static_key.h */
};

/* Both ends' parts of their key method 2 messages. */
struct key_source {
    uint8_t pre_master[48]; /* of the client; the server has none */
    uint8_t random1[32];
    uint8_t random2[32];
};

/* TLS 1.0 PRF: P_MD5 of the first half XOR P_SHA1 of the second. `seed`
 * includes the label. False if the library has no MD5 or SHA1. */
MUST_USE bool key_derivation_prf(struct bytes secret, struct bytes seed,
                                 uint8_t *out, size_t size);

MUST_USE bool key_derivation_legacy(const struct key_source *client,
                                    const struct key_source *server,
                                    const struct session_id *client_session,
                                    const struct session_id *server_session,
                                    struct key_material *out);

/* The slices of 64 bytes for one end and direction. */
struct key_direction {
    const uint8_t *cipher;
    const uint8_t *hmac;
};
struct key_direction key_material_send(const struct key_material *m,
                                       enum openvpn_role role);
struct key_direction key_material_receive(const struct key_material *m,
                                          enum openvpn_role role);

#endif
