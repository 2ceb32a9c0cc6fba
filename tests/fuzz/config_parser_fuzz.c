#include "gateway/openvpn/config/config_parser.h"

#include <stdlib.h>

#include "gateway/openvpn/client/config_summary.h"
#include "gateway/openvpn/push/push_options.h"
#include "tests/fuzz/target.h"

static void check_text(const char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
            abort();
}

static void report(void *context, enum config_severity severity, unsigned line,
                   const char *text)
{
    bool *failed = context;
    (void)line;
    check_text(text);
    *failed = *failed || severity == CONFIG_ERROR;
}

/* Every file that is named holds what it is named. */
static const char *read_file(void *context,
                             const struct config_reference *reference,
                             struct blob *out)
{
    (void)context;
    return blob_set(out, bytes_of_text(reference->path)) ? NULL : "no memory";
}

static void summarise(void *context, const char *topic, const char *text)
{
    (void)context;
    check_text(topic);
    check_text(text);
}

/* Reports are printable lines, an unusable profile has an error, and a usable
 * one has somewhere to connect to and something to encrypt with. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    bool failed = false;
    const struct config_parser_env env = {report, read_file, &failed,
                                          push_options_try_line};
    bool usable = config_parse(bytes_of(data, size), "fuzz", &env, &config);
    if (usable == failed ||
        (usable && (config.remote_count == 0 || !config.data_ciphers[0])))
        abort();
    config_summary(&config, summarise, NULL);
    config_clear(&config);
    return 0;
}
