/* Settings that stand above a profile: servers, proxy and user name. */
#ifndef OPENVPN_CLIENT_CLIENT_OVERLAY_H
#define OPENVPN_CLIENT_CLIENT_OVERLAY_H

#include "gateway/openvpn/config/config.h"
#include "gateway/vpn/protocol.h"

/* Changes the profile. False, and it is not to be used, with a reason for
 * people. */
MUST_USE bool client_overlay_apply(const struct protocol_overlay *overlay,
                                   struct config *profile, const char **why);

#endif
