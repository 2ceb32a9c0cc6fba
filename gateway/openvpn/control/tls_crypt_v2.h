/*
 * tls-crypt-v2: each client has a tls-crypt key of its own, which the server
 * does not keep: the client sends it along, wrapped with the server's key.
 *
 *   wrapped key = tag(32) encrypted { key(256) metadata } length(2)
 *
 * The tag is over length, key and metadata, and sealed as tls_crypt.h says;
 * the length counts everything (openvpn: tls_crypt.h, doc/tls-crypt-v2.txt).
 */
#ifndef OPENVPN_CONTROL_TLS_CRYPT_V2_H
#define OPENVPN_CONTROL_TLS_CRYPT_V2_H

#include "gateway/openvpn/control/tls_crypt.h"
#include "gateway/openvpn/keys/static_key.h"

enum {
    TLS_CRYPT_V2_SERVER_KEY_SIZE = 128,
    TLS_CRYPT_V2_WRAPPED_MIN = TLS_CRYPT_TAG_SIZE + STATIC_KEY_SIZE + 2,
    TLS_CRYPT_V2_WRAPPED_MAX = 1024,
    TLS_CRYPT_V2_METADATA_MAX =
        TLS_CRYPT_V2_WRAPPED_MAX - TLS_CRYPT_V2_WRAPPED_MIN,
    TLS_CRYPT_V2_TEXT_MAX = 2048, /* enough for each key file */
};

/* First byte of the metadata; a time follows as eight bytes of unix time. */
enum { TLS_CRYPT_V2_METADATA_USER = 0, TLS_CRYPT_V2_METADATA_TIME = 1 };

/* The client's key file. */
struct tls_crypt_v2_client_key {
    struct static_key key;
    uint16_t wrapped_size;
    uint8_t wrapped[TLS_CRYPT_V2_WRAPPED_MAX]; /* opaque to the client */
};

/* The server's. */
struct tls_crypt_v2_server_key {
    uint8_t bytes[TLS_CRYPT_V2_SERVER_KEY_SIZE];
};

/* Both PEM texts; what stands in front and behind is ignored. */
MUST_USE bool tls_crypt_v2_parse_client(struct bytes text,
                                        struct tls_crypt_v2_client_key *out);
MUST_USE bool tls_crypt_v2_parse_server(struct bytes text,
                                        struct tls_crypt_v2_server_key *out);
/* As `openvpn --genkey` writes them, NUL-terminated; false if it does not
 * fit. */
MUST_USE bool
tls_crypt_v2_format_client(const struct tls_crypt_v2_client_key *key, char *out,
                           size_t capacity);
MUST_USE bool
tls_crypt_v2_format_server(const struct tls_crypt_v2_server_key *key, char *out,
                           size_t capacity);

/* The server's key, ready to wrap and unwrap. */
MUST_USE bool tls_crypt_v2_init(struct tls_crypt_key *prepared,
                                const struct tls_crypt_v2_server_key *key);

/* The wrapped content. */
struct tls_crypt_v2_content {
    struct static_key key;
    uint16_t metadata_size;
    uint8_t metadata[TLS_CRYPT_V2_METADATA_MAX];
};

/* Makes a client's key file out of `content`. */
MUST_USE bool tls_crypt_v2_wrap(struct tls_crypt_key *server,
                                const struct tls_crypt_v2_content *content,
                                struct tls_crypt_v2_client_key *out);
/* False, and *out untouched, unless `wrapped` is exactly one key that `server`
 * wrapped. */
MUST_USE bool tls_crypt_v2_unwrap(struct tls_crypt_key *server,
                                  struct bytes wrapped,
                                  struct tls_crypt_v2_content *out);

/* Whether packets with this opcode end in a wrapped key. */
bool tls_crypt_v2_opcode(uint8_t opcode);
/* Cuts such a datagram into packet and wrapped key; at least the packet's
 * header is left. */
MUST_USE bool tls_crypt_v2_split(struct bytes datagram, struct bytes *packet,
                                 struct bytes *wrapped);

#endif
