/* A key of WireGuard: 32 bytes as 44 characters of base64. */
#ifndef WIREGUARD_PROFILE_CONF_KEY_H
#define WIREGUARD_PROFILE_CONF_KEY_H

#include "gateway/wireguard/wire.h"

enum { CONF_KEY_TEXT_SIZE = 45 };

/* NULL, or a phrase that says what is wrong, and never the key. */
const char *conf_key_read(struct bytes text, uint8_t out[WIRE_KEY_SIZE]);
void conf_key_write(const uint8_t key[WIRE_KEY_SIZE],
                    char out[CONF_KEY_TEXT_SIZE]);

#endif
