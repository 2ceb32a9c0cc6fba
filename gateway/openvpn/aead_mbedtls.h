/* AEAD by mbedTLS: everywhere, slowly. */
#ifndef OPENVPN_AEAD_MBEDTLS_H
#define OPENVPN_AEAD_MBEDTLS_H

#include "gateway/openvpn/aead_functions.h"

extern const struct aead_functions aead_mbedtls;

#endif
