/* AEAD by libipsec-mb, on a CPU that ipsecmb.h takes. */
#ifndef CRYPTO_AEAD_IPSECMB_H
#define CRYPTO_AEAD_IPSECMB_H

#include "gateway/crypto/aead_functions.h"

extern const struct aead_functions aead_ipsecmb;

#endif
