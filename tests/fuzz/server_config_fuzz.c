#include "gateway/openvpn/server_config_parser.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report(void *context, enum config_severity severity, unsigned line,
                   const char *text)
{
    bool *failed = context;
    (void)line;
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
            abort();
    *failed = *failed || severity == CONFIG_ERROR;
}

/* Every file that is named holds what it is named. */
static const char *read_file(void *context, const char *path,
                             struct config_blob *out)
{
    (void)context;
    return config_set_blob(out, bytes_of_text(path)) ? NULL : "no memory";
}

/* Reports are printable lines, an unusable configuration has an error, and a
 * usable one has a pool inside of its network and somebody to recognise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct server_config c;
    bool failed = false;
    const struct config_parser_env env = {report, read_file, &failed};
    bool usable = server_config_parse(bytes_of(data, size), "fuzz", &env, &c);
    if (usable == failed)
        abort();
    if (usable && (c.pool_first > c.pool_last || c.pool_first == 0 ||
                   c.common.remote_count != 1 || c.common.cert.size == 0 ||
                   c.max_clients == 0 || !c.common.data_ciphers[0]))
        abort();
    server_config_clear(&c);
    return 0;
}
