#include "gateway/openvpn/client/client_verify.h"

#include <string.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/client/client_profile.h"
#include "gateway/openvpn/tls/certificate_dates.h"
#include "gateway/openvpn/tls/tls_context.h"

static void report_logged(void *context, enum log_level level, const char *line)
{
    static const char scope[] = "tunnel: ";
    const struct protocol_reader *reader = context;
    if (!strncmp(line, scope, sizeof scope - 1))
        line += sizeof scope - 1;
    if (level <= LOG_WARN)
        reader->report(reader->context,
                       level == LOG_ERROR ? PROTOCOL_ERROR : PROTOCOL_WARNING,
                       0, line);
}

/* Only warnings: the clock that judges may itself be wrong. */
static void check_dates(const struct protocol_reader *reader, int64_t unix_time,
                        const char *option, const struct certificates *chain)
{
    char text[CERTIFICATE_DATES_TEXT_SIZE];
    if (certificate_dates_problem(chain, option, unix_time, text))
        reader->report(reader->context, PROTOCOL_WARNING, 0, text);
}

bool client_verify(const struct protocol_profile *profile, int64_t unix_time,
                   const struct protocol_env *env,
                   const struct protocol_reader *reader)
{
    const struct config *config = client_profile_config(profile);
    const struct tls_random random = {env->context, env->random};
    if (config_is_static(config))
        return true; /* its one key was looked at when it was read */
    struct config shown = *config;
    /* A key behind a password that is not here cannot be looked at. */
    if (tls_context_needs_password(config) && !config->key_password.data) {
        shown.cert = shown.key = (struct blob){0};
        if (shown.pkcs12.size && !shown.ca.size && !shown.fingerprint_count)
            return true; /* and who the server is, is in there as well */
        shown.pkcs12 = (struct blob){0};
    }

    struct tls_context context;
    struct protocol_reader copy = *reader;
    log_set_sink(report_logged, &copy);
    bool good = tls_context_init(
        &context, OPENVPN_CLIENT, &shown,
        bytes_of(shown.key_password.data, shown.key_password.size), &random);
    log_set_sink(NULL, NULL);
    check_dates(reader, unix_time, "ca", context.authorities);
    check_dates(reader, unix_time, "cert", context.own);
    tls_context_clear(&context);
    return good;
}
