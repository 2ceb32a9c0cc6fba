#include "gateway/openvpn/server_config/server_config_parser.h"

#include <stdlib.h>

#include "gateway/openvpn/push/push_options.h"
#include "gateway/openvpn/server/server_pool.h"
#include "tests/fuzz/target.h"

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
static const char *read_file(void *context,
                             const struct config_reference *reference,
                             struct blob *out)
{
    (void)context;
    return blob_set(out, bytes_of_text(reference->path)) ? NULL : "no memory";
}

/* The addresses of clients lie in the network and are not the server's own. */
static void check_pool(const struct server_config *c)
{
    static const struct siphash_key key;
    struct server_pool pool;
    if (!server_pool_init(&pool, c, &key))
        abort();
    for (uint32_t i = 0; i < pool.count; i += i < 8 ? 1 : pool.count / 8) {
        struct address ipv4 = server_pool_ipv4(&pool, i);
        struct address ipv6 = server_pool_ipv6(&pool, i);
        struct prefix network = prefix_of(&c->ipv4.address, c->ipv4.bits);
        struct prefix network6 = prefix_of(&c->ipv6.address, c->ipv6.bits);
        uint32_t number;
        if (!prefix_contains(&network, &ipv4) ||
            address_equal(&ipv4, &c->ipv4.address) ||
            !server_pool_number(&pool, &ipv4, &number) || number != i)
            abort();
        if (address_is_set(&ipv6) && (!prefix_contains(&network6, &ipv6) ||
                                      address_equal(&ipv6, &c->ipv6.address)))
            abort();
    }
    server_pool_clear(&pool);
}

/* Reports are printable lines, an unusable configuration has an error, and a
 * usable one has a pool inside of its network and somebody to recognise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct server_config c;
    bool failed = false;
    const struct config_parser_env env = {report, read_file, &failed,
                                          push_options_try_line};
    bool usable = server_config_parse(bytes_of(data, size), "fuzz", &env, &c);
    if (usable == failed)
        abort();
    if (usable && (c.pool_first > c.pool_last || c.pool_first == 0 ||
                   c.common.remote_count != 1 || c.common.cert.size == 0 ||
                   c.max_clients == 0 || !c.common.data_ciphers[0]))
        abort();
    if (usable)
        check_pool(&c);
    server_config_clear(&c);
    return 0;
}
