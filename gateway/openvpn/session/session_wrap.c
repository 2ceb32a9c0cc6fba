#include "gateway/openvpn/session/session_wrap.h"

bool session_wrap_init(struct control_wrap *w, enum openvpn_role role,
                       const struct config_remote *remote, const char *digest,
                       const struct static_key *key, uint32_t unix_time)
{
    switch (remote->wrap) {
    case CONFIG_WRAP_NONE:
        return control_wrap_init_none(w);
    case CONFIG_WRAP_TLS_AUTH:
        return control_wrap_init_tls_auth(w, key, remote->key_direction, digest,
                                          unix_time);
    case CONFIG_WRAP_TLS_CRYPT:
    case CONFIG_WRAP_TLS_CRYPT_V2:
        return control_wrap_init_tls_crypt(w, key, role, unix_time);
    }
    return false;
}
