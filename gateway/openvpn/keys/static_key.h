/*
 * "OpenVPN Static key V1" files and the four 64-byte slices of their 256
 * bytes (openvpn: crypto.c, read_key_file).
 */
#ifndef OPENVPN_KEYS_STATIC_KEY_H
#define OPENVPN_KEYS_STATIC_KEY_H

#include "gateway/base/bytes.h"

enum {
    STATIC_KEY_SIZE = 256,
    STATIC_KEY_SLICE = 64,
    STATIC_KEY_TEXT_SIZE = 640, /* enough for static_key_format() */
};

/* Both ends of every asymmetry in the protocol. */
enum openvpn_role { OPENVPN_CLIENT, OPENVPN_SERVER };

struct static_key {
    uint8_t bytes[STATIC_KEY_SIZE];
};

/* Text before BEGIN and behind END is ignored; between them stand 512
 * hexadecimal digits with any white space. */
MUST_USE bool static_key_parse(struct bytes text, struct static_key *out);
/* The text as `openvpn --genkey` writes it, NUL-terminated; false if it does
 * not fit. */
MUST_USE bool static_key_format(const struct static_key *key, char *out,
                                size_t capacity);

/* Slices 0..3: cipher 0, hmac 0, cipher 1, hmac 1. */
static inline const uint8_t *static_key_slice(const struct static_key *key,
                                              int slice)
{
    return key->bytes + slice * STATIC_KEY_SLICE;
}

#endif
