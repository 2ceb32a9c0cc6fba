/* The certificates of an end that are not valid at a time. */
#ifndef OPENVPN_TLS_CERTIFICATE_DATES_H
#define OPENVPN_TLS_CERTIFICATE_DATES_H

#include "gateway/crypto/certificates.h"

enum { CERTIFICATE_DATES_TEXT_SIZE = 128, CERTIFICATE_DATES_DAY_SIZE = 48 };

/* A sentence for a person about the first certificate of the chain that is
 * not valid at `unix_time`; false if all are. `option` is where the chain
 * comes from. */
bool certificate_dates_problem(const struct certificates *chain,
                               const char *option, int64_t unix_time,
                               char out[CERTIFICATE_DATES_TEXT_SIZE]);

/* "2033-05-18" */
const char *certificate_dates_day(char out[CERTIFICATE_DATES_DAY_SIZE],
                                  int64_t unix_time);

#endif
