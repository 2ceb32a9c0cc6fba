/* AEAD by libipsec-mb, on a CPU that ipsecmb.h takes. */
#ifndef OPENVPN_AEAD_IPSECMB_H
#define OPENVPN_AEAD_IPSECMB_H

#include "gateway/openvpn/aead_functions.h"

extern const struct aead_functions aead_ipsecmb;

#endif
