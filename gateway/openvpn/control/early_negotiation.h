/*
 * The payload of the server's hard reset: type(2) length(2) value, any number
 * of times. One type is known, flags(2). Only a server that answers
 * tls-crypt-v2 without keeping state sends any (openvpn: ssl_pkt.h, ssl.c).
 */
#ifndef OPENVPN_CONTROL_EARLY_NEGOTIATION_H
#define OPENVPN_CONTROL_EARLY_NEGOTIATION_H

#include "gateway/base/bytes.h"

enum { EARLY_NEGOTIATION_FLAGS = 1 };           /* type */
enum { EARLY_NEGOTIATION_FLAG_RESEND_WKC = 1 }; /* bit of its value */

struct early_negotiation {
    bool resend_wkc; /* message 1 must be a CONTROL_WKC_V1 */
};

/* Unknown types are skipped; an empty payload says nothing and is right.
 * False if an entry is cut off or flags have another length than two. */
MUST_USE bool early_negotiation_parse(struct bytes payload,
                                      struct early_negotiation *out);
void early_negotiation_write(struct writer *w,
                             const struct early_negotiation *said);

#endif
