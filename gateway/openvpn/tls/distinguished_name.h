/*
 * The name in a certificate as text, in the shape that profiles were written
 * after: OpenSSL's XN_FLAG_SEP_CPLUS_SPC with short names, for example
 * "C=DE, O=Example, CN=vpn.example". mbedTLS escapes and names differently,
 * so the DER is printed here.
 */
#ifndef OPENVPN_TLS_DISTINGUISHED_NAME_H
#define OPENVPN_TLS_DISTINGUISHED_NAME_H

#include "gateway/base/bytes.h"

enum { DISTINGUISHED_NAME_SIZE = 512, COMMON_NAME_SIZE = 256 };

/* `der` is the whole Name, a SEQUENCE. Control characters become '_', as in
 * OpenVPN. False if it is malformed or does not fit; `out` is "" then. */
MUST_USE bool distinguished_name_format(struct bytes der, char *out,
                                        size_t size);

/* The value of the last CN, the one that OpenVPN looks at. False if there is
 * none or it does not fit. */
MUST_USE bool distinguished_name_common(struct bytes der, char *out,
                                        size_t size);

#endif
