/* Certificates and keys of a profile, looked at as a client would take them,
 * for `vpn-gateway check`. */
#ifndef OPENVPN_CLIENT_CLIENT_VERIFY_H
#define OPENVPN_CLIENT_CLIENT_VERIFY_H

#include "gateway/vpn/protocol.h"

/* As protocol_kind has it. The log's sink is the default one afterwards. */
bool client_verify(const struct protocol_profile *profile, int64_t unix_time,
                   const struct protocol_env *env,
                   const struct protocol_reader *reader);

#endif
