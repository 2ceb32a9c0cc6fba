/*
 * The wrapping of the control channel that a configuration wants, for either
 * end and with a key that was read.
 */
#ifndef OPENVPN_SESSION_SESSION_WRAP_H
#define OPENVPN_SESSION_SESSION_WRAP_H

#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/control/control_wrap.h"

/* `digest` is the configuration's `auth`, for tls-auth. tls-crypt-v2 is
 * tls-crypt here, with the key that a client sent along: the client's own end
 * of it is client_wrap.h. False as of control_wrap_init_*(). */
MUST_USE bool session_wrap_init(struct control_wrap *w, enum openvpn_role role,
                                const struct config_remote *remote,
                                const char *digest,
                                const struct static_key *key,
                                uint32_t unix_time);

#endif
