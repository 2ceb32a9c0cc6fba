/*
 * The name in a certificate as text, in the shape that profiles were written
 * after: OpenSSL's XN_FLAG_SEP_CPLUS_SPC with short names, for example
 * "C=DE, O=Example, CN=vpn.example". TLS libraries escape and name differently,
 * so the DER is printed here.
 */
#ifndef OPENVPN_TLS_DISTINGUISHED_NAME_H
#define OPENVPN_TLS_DISTINGUISHED_NAME_H

#include "gateway/base/bytes.h"

enum {
    DISTINGUISHED_NAME_SIZE = 512,
    COMMON_NAME_SIZE = 256,
    DISTINGUISHED_NAME_OID_SIZE = 128,
};

/* `der` is the whole Name, a SEQUENCE. Control characters become '_', as in
 * OpenVPN. False if it is malformed or does not fit; `out` is "" then. */
MUST_USE bool distinguished_name_format(struct bytes der, char *out,
                                        size_t size);

/* The value of the last CN, the one that OpenVPN looks at. False if there is
 * none or it does not fit. */
MUST_USE bool distinguished_name_common(struct bytes der, char *out,
                                        size_t size);

/* An object identifier, DER's content, as numbers: "1.3.6.1.5.5.7.3.1". Too
 * long a one fails the writer. */
void distinguished_name_write_oid(struct writer *w, struct bytes oid);

#endif
