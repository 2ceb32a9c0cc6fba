/*
 * Cipher suites and groups of TLS: from the lists of a profile, in OpenSSL's or
 * IANA's names, to the numbers that are offered and taken.
 */
#ifndef OPENVPN_TLS_TLS_OFFER_H
#define OPENVPN_TLS_TLS_OFFER_H

#include "gateway/openvpn/config/config.h"

/* On the heap, 0 at the end; NULL when memory is short. A list that is not
 * said, or names nothing that is known, is this program's own list. */
uint16_t *tls_offer_suites(const struct config *config);
/* The same for what `tls-groups` says; empty if that names nothing known. */
uint16_t *tls_offer_groups(const struct config *config);

#endif
