#include "gateway/openvpn/client/client_wrap.h"

#include <mbedtls/md.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"

static bool init_tls_auth(struct control_wrap *w, const struct static_key *key,
                          int direction, const char *digest, uint32_t unix_time)
{
    const mbedtls_md_info_t *info = mbedtls_md_info_from_string(digest);
    return info && control_wrap_init_tls_auth(
                       w, key, direction, (uint8_t)mbedtls_md_get_type(info),
                       unix_time);
}

static bool init_tls_crypt_v2(struct control_wrap *w, struct static_key *key,
                              struct bytes text, uint32_t unix_time)
{
    struct tls_crypt_v2_client_key file;
    bool good =
        tls_crypt_v2_parse_client(text, &file) &&
        control_wrap_init_tls_crypt_v2(
            w, &file.key, bytes_of(file.wrapped, file.wrapped_size), unix_time);
    if (good)
        *key = file.key;
    secret_wipe(&file, sizeof file);
    return good;
}

bool client_wrap_init(struct control_wrap *w, struct static_key *key,
                      const struct config_remote *remote, const char *digest,
                      uint32_t unix_time)
{
    struct bytes text = bytes_of(remote->wrap_key.data, remote->wrap_key.size);
    bool good = false;
    const char *option = "";
    switch (remote->wrap) {
    case CONFIG_WRAP_NONE:
        return control_wrap_init_none(w);
    case CONFIG_WRAP_TLS_AUTH:
        option = "tls-auth";
        good = static_key_parse(text, key) &&
               init_tls_auth(w, key, remote->key_direction, digest, unix_time);
        break;
    case CONFIG_WRAP_TLS_CRYPT:
        option = "tls-crypt";
        good = static_key_parse(text, key) &&
               control_wrap_init_tls_crypt(w, key, OPENVPN_CLIENT, unix_time);
        break;
    case CONFIG_WRAP_TLS_CRYPT_V2:
        option = "tls-crypt-v2";
        good = init_tls_crypt_v2(w, key, text, unix_time);
        break;
    }
    if (!good)
        log_error("openvpn: the key of %s cannot be used", option);
    return good;
}
