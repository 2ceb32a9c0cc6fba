/*
 * The way to the server that the client asks for: the addresses of a name,
 * the uplink of the right kind to one of them, and what was dropped on all of
 * them.
 *
 *   CONNECT -> resolver -> client_resolved -> client_address -> uplink
 */
#ifndef VPN_CONNECTION_H
#define VPN_CONNECTION_H

#include "gateway/openvpn/client/client.h"
#include "gateway/uplink/uplink.h"

struct connection; /* heap */

/* Borrows loop and client for its life. What the uplink says goes straight to
 * `owner`. NULL when memory is short. */
struct connection *connection_new(struct loop *loop, struct client *client,
                                  const struct uplink_owner *owner);
void connection_free(struct connection *c);

/* For CONNECT and DISCONNECT. Closes what stands; connected() or failed() of
 * the owner follows, failed() perhaps from inside. */
void connection_start(struct connection *c, struct instant now,
                      const struct config_remote *remote);
void connection_end(struct connection *c);

/* The name that is being looked up, as resolver_waiting() has it. */
bool connection_waiting(const struct connection *c, struct instant now,
                        char out[CLIENT_WAITING_SIZE]);

/* NULL while there is none. */
struct uplink *connection_uplink(const struct connection *c);
/* What was dropped by uplinks gone by. */
const struct drop_counters *connection_drops(const struct connection *c);

#endif
