/* AEAD by libipsec-mb: only on a CPU with AES, carry-less multiplication and
 * AVX, because without them the library falls back to tables whose use tells
 * the key. */
#ifndef OPENVPN_AEAD_IPSECMB_H
#define OPENVPN_AEAD_IPSECMB_H

#include "gateway/openvpn/aead_functions.h"

extern const struct aead_functions aead_ipsecmb;

#endif
