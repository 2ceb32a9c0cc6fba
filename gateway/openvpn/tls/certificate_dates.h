/* Which certificates of an end are not valid at a time. */
#ifndef OPENVPN_TLS_CERTIFICATE_DATES_H
#define OPENVPN_TLS_CERTIFICATE_DATES_H

#include "gateway/openvpn/tls/tls_context.h"

enum { CERTIFICATE_DATES_TEXT_SIZE = 128 };

/* A sentence for a person about the first certificate of the chain that is
 * not valid at `unix_time`; false if all are. `option` is where the chain
 * comes from. */
bool certificate_dates_problem(const mbedtls_x509_crt *chain,
                               const char *option, int64_t unix_time,
                               char out[CERTIFICATE_DATES_TEXT_SIZE]);

#endif
