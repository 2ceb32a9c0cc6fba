/* A file of client-config-dir; and the same bytes as a token and as its
 * key. */
#include "gateway/openvpn/keys/auth_token.h"
#include "gateway/openvpn/server_config/server_client_config.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>

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

static void try_token(struct bytes text)
{
    static const struct auth_token_key zeroes;
    struct auth_token token;
    struct auth_token_key key;
    (void)auth_token_is_one(text);
    if (auth_token_read(&zeroes, bytes_of_text("anna"), text, &token)) {
        char again[AUTH_TOKEN_TEXT_SIZE];
        if (!auth_token_write(&zeroes, &token, bytes_of_text("anna"), again))
            abort();
    }
    (void)!auth_token_parse_key(text, &key);
}

/* A usable one has addresses of the server's network only, and not the
 * server's own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct server_config server;
    struct server_client_config c;
    bool failed = false;
    const struct config_parser_env env = {report, NULL, &failed, NULL};
    server_config_init(&server);
    server.ipv4 = (struct prefix){address_ipv4(0x0a080001), 24};
    bool usable =
        server_client_config_parse(bytes_of(data, size), &server, &env, &c);
    if (usable == failed)
        abort();
    uint32_t address = address_to_ipv4(&c.ipv4.address);
    if (usable && address_is_set(&c.ipv4.address) &&
        (address < 0x0a080002 || address > 0x0a0800fe))
        abort();
    if (address_is_set(&c.ipv6.address))
        abort();
    for (size_t i = 0; i < c.push_count; i++)
        if (!server_client_config_takes(&c, c.pushes[i]) && !c.removes_all &&
            c.remove_count == 0)
            abort();
    server_client_config_clear(&c);
    try_token(bytes_of(data, size));
    return 0;
}
