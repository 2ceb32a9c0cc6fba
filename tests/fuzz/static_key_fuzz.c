#include "gateway/openvpn/keys/static_key.h"

#include "gateway/openvpn/control/tls_crypt_v2.h"
#include "tests/fuzz/target.h"

static void check_static(struct bytes text)
{
    struct static_key key, again;
    char out[STATIC_KEY_TEXT_SIZE];
    if (!static_key_parse(text, &key))
        return;
    check(static_key_format(&key, out, sizeof out) &&
          static_key_parse(bytes_of_text(out), &again) &&
          !memcmp(&again, &key, sizeof key));
}

static void check_server(struct bytes text)
{
    struct tls_crypt_v2_server_key key, again;
    char out[TLS_CRYPT_V2_TEXT_MAX];
    if (!tls_crypt_v2_parse_server(text, &key))
        return;
    check(tls_crypt_v2_format_server(&key, out, sizeof out) &&
          tls_crypt_v2_parse_server(bytes_of_text(out), &again) &&
          !memcmp(&again, &key, sizeof key));
}

static void check_client(struct bytes text)
{
    struct tls_crypt_v2_client_key key, again;
    char out[TLS_CRYPT_V2_TEXT_MAX];
    if (!tls_crypt_v2_parse_client(text, &key))
        return;
    check(tls_crypt_v2_format_client(&key, out, sizeof out) &&
          tls_crypt_v2_parse_client(bytes_of_text(out), &again) &&
          !memcmp(&again, &key, sizeof key));
}

/* Key files of all kinds: what was read is written so that it reads the
 * same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    check_static(text);
    check_server(text);
    check_client(text);
    return 0;
}
