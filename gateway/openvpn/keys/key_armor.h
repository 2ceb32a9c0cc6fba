/*
 * The lines around a key in a text file:
 *
 *   -----BEGIN label-----
 *   digits of some encoding, any white space
 *   -----END label-----
 */
#ifndef OPENVPN_KEYS_KEY_ARMOR_H
#define OPENVPN_KEYS_KEY_ARMOR_H

#include "gateway/base/bytes.h"

/* Reads the bytes between the lines, without white space, into `out`. Text in
 * front and behind is ignored. False if a line is missing or it does not fit.
 * */
MUST_USE bool key_armor_take(struct bytes text, const char *label, uint8_t *out,
                             size_t capacity, size_t *size);

/* Writes both lines around `digits`, cut into lines of `width`. */
void key_armor_write(struct writer *w, const char *label, struct bytes digits,
                     size_t width);

#endif
