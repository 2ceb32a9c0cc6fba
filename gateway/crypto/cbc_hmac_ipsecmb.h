/* AES-CBC and HMAC by libipsec-mb, many packets side by side: CBC and the
 * digests are chains, which one packet alone cannot fill a CPU with. */
#ifndef CRYPTO_CBC_HMAC_IPSECMB_H
#define CRYPTO_CBC_HMAC_IPSECMB_H

#include "gateway/crypto/cbc_hmac_functions.h"

extern const struct cbc_hmac_functions cbc_hmac_ipsecmb;

#endif
