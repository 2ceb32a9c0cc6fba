/*
 * The WireGuard client behind the door of protocols (vpn/protocol.h): a device
 * and its profile, which address of which server is tried, what is told of it.
 *
 *         start           address        uplink           response
 *   IDLE -----> FINDING ----------> OPENING ------> SHAKING ---------> UP
 *                 ^  ^                 |              ^                |
 *        5 s later|  +-- uplink broke -+              +----------------+
 *              PAUSING                                 no answer to data
 *
 * UP is from the response on, and is a person's "connected" once anything came
 * back under the keys: for that the client asks the tunnel's resolver a
 * question of its own. Keys that expire in idle time leave it UP; DOWN is when
 * data was not answered for 15 s and neither was an initiation after that.
 */
#ifndef WIREGUARD_CLIENT_WIREGUARD_CLIENT_H
#define WIREGUARD_CLIENT_WIREGUARD_CLIENT_H

#include "gateway/vpn/protocol.h"

extern const struct protocol_kind wireguard_client_kind;

#endif
