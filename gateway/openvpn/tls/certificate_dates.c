#include "gateway/openvpn/tls/certificate_dates.h"

#include <stdio.h>
#include <time.h>

const char *certificate_dates_day(char out[CERTIFICATE_DATES_DAY_SIZE],
                                  int64_t unix_time)
{
    time_t seconds = unix_time;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        return "?";
    snprintf(out, CERTIFICATE_DATES_DAY_SIZE, "%04d-%02d-%02d",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    return out;
}

bool certificate_dates_problem(const struct certificates *chain,
                               const char *option, int64_t unix_time,
                               char out[CERTIFICATE_DATES_TEXT_SIZE])
{
    char day[CERTIFICATE_DATES_DAY_SIZE];
    struct certificate c;
    for (size_t i = 0; certificates_at(chain, i, &c); i++) {
        bool past = c.valid_to<unix_time, future = c.valid_from> unix_time;
        if (!past && !future)
            continue;
        snprintf(out, CERTIFICATE_DATES_TEXT_SIZE,
                 "the certificate in `%s' %s %s", option,
                 past ? "expired on" : "is not valid before",
                 certificate_dates_day(day, past ? c.valid_to : c.valid_from));
        return true;
    }
    return false;
}
