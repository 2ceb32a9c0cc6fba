/*
 * The digests that `auth' names, in OpenVPN's spelling and in the others that
 * it takes (openvpn: crypto.c).
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "gateway/base/bytes.h"

/* The digest's name in OpenVPN's spelling ("SHA256"; "NONE" for none) and
 * its size in bytes; NULL if unknown. */
const char *digest_find(struct bytes name, size_t *size);

#endif
