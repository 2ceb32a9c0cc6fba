/*
 * The ciphers that profiles and servers name: which of them this program may
 * use, and the sizes that the options string counts.
 */
#ifndef OPENVPN_KEYS_CIPHER_NAMES_H
#define OPENVPN_KEYS_CIPHER_NAMES_H

#include "gateway/base/bytes.h"

enum cipher_class {
    CIPHER_AEAD,
    CIPHER_CBC,    /* AES with an HMAC */
    CIPHER_LEGACY, /* 64-bit blocks, stream modes, rarities: never used */
    CIPHER_NONE    /* no encryption: never used */
};

struct cipher_name {
    const char *name; /* OpenVPN's spelling */
    enum cipher_class class;
    uint16_t key_bits;
    uint8_t block, iv; /* bytes, as the options string counts them */
};

/* In any case of letters, and by OpenSSL's older names too; NULL if unknown. */
const struct cipher_name *cipher_names_find(struct bytes name);

/* `name`, spelled as above, stands in the colon list. */
bool cipher_names_in_list(const char *list, const char *name);

#endif
