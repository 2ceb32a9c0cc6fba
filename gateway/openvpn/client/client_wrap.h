/* From what a profile says about wrapping the control channel to the
 * wrapping itself. */
#ifndef OPENVPN_CLIENT_CLIENT_WRAP_H
#define OPENVPN_CLIENT_CLIENT_WRAP_H

#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/control/control_wrap.h"

/* `digest` is the profile's `auth`, for tls-auth. *key becomes the 256 bytes
 * that dynamic tls-crypt starts from. False if the key cannot be used: the
 * log says why. */
MUST_USE bool client_wrap_init(struct control_wrap *w, struct static_key *key,
                               const struct config_remote *remote,
                               const char *digest, uint32_t unix_time);

#endif
