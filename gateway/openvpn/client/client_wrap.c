#include "gateway/openvpn/client/client_wrap.h"

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/openvpn/session/session_wrap.h"

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
    static const char *const options[] = {
        [CONFIG_WRAP_NONE] = "",
        [CONFIG_WRAP_TLS_AUTH] = "tls-auth",
        [CONFIG_WRAP_TLS_CRYPT] = "tls-crypt",
        [CONFIG_WRAP_TLS_CRYPT_V2] = "tls-crypt-v2",
    };
    struct bytes text = bytes_of(remote->wrap_key.data, remote->wrap_key.size);
    bool good;
    if (remote->wrap == CONFIG_WRAP_TLS_CRYPT_V2)
        good = init_tls_crypt_v2(w, key, text, unix_time);
    else
        good =
            (remote->wrap == CONFIG_WRAP_NONE || static_key_parse(text, key)) &&
            session_wrap_init(w, OPENVPN_CLIENT, remote, digest, key,
                              unix_time);
    if (!good)
        log_error("tunnel: the key of %s cannot be used",
                  options[remote->wrap]);
    return good;
}
