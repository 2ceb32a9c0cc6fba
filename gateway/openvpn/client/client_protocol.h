/* OpenVPN's client and its profiles behind the door of protocols. */
#ifndef OPENVPN_CLIENT_CLIENT_PROTOCOL_H
#define OPENVPN_CLIENT_CLIENT_PROTOCOL_H

#include "gateway/vpn/protocol.h"

extern const struct protocol_kind client_protocol;

#endif
