#include "gateway/openvpn/tls/certificate_dates.h"

#include <mbedtls/x509.h>
#include <stdio.h>

bool certificate_dates_problem(const mbedtls_x509_crt *chain,
                               const char *option, int64_t unix_time,
                               char out[CERTIFICATE_DATES_TEXT_SIZE])
{
    mbedtls_x509_time now;
    if (mbedtls_x509_time_gmtime((mbedtls_time_t)unix_time, &now) != 0)
        return false;
    for (; chain && chain->raw.len; chain = chain->next) {
        const mbedtls_x509_time *from = &chain->valid_from;
        const mbedtls_x509_time *to = &chain->valid_to;
        bool past = mbedtls_x509_time_cmp(to, &now) < 0;
        bool future = mbedtls_x509_time_cmp(from, &now) > 0;
        const mbedtls_x509_time *when = past ? to : from;
        if (!past && !future)
            continue;
        snprintf(out, CERTIFICATE_DATES_TEXT_SIZE,
                 "the certificate in `%s' %s %04d-%02d-%02d", option,
                 past ? "expired on" : "is not valid before", when->year,
                 when->mon, when->day);
        return true;
    }
    return false;
}
