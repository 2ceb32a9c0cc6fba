/*
 * The way to the server that the protocol asks for: the addresses of a name,
 * the uplink of the right kind, and what was dropped on all of them.
 *
 *   RESOLVE -> resolver -> resolved()
 *   CONNECT -> uplink -> connected() or failed()
 */
#ifndef VPN_CONNECTION_H
#define VPN_CONNECTION_H

#include "gateway/uplink/uplink.h"
#include "gateway/vpn/protocol.h"

struct connection; /* heap */

/* The uplink's calls go straight to `uplink`. */
struct connection_owner {
    struct uplink_owner uplink;
    /* As protocol_kind has it. */
    void (*resolved)(void *context, struct instant now, unsigned endpoint,
                     const struct address *addresses, size_t count,
                     const char *why);
};

/* Borrows the loop for its life. NULL when memory is short. */
struct connection *connection_new(struct loop *loop,
                                  const struct connection_owner *owner);
void connection_free(struct connection *c);

/* For the actions of a protocol. */
void connection_resolve(struct connection *c, struct instant now,
                        unsigned endpoint,
                        const struct protocol_server *server);
/* Closes what stands; connected() or failed() of the owner follows, failed()
 * perhaps from inside. */
void connection_start(struct connection *c, struct instant now,
                      unsigned endpoint, const struct protocol_server *server,
                      const struct endpoint *to);
void connection_aim(struct connection *c, unsigned endpoint,
                    const struct endpoint *to);
void connection_end(struct connection *c);

/* The name that is being looked up, as resolver_waiting() has it. */
bool connection_waiting(const struct connection *c, struct instant now,
                        char out[PROTOCOL_WAITING_SIZE]);

/* NULL while there is none. */
struct uplink *connection_uplink(const struct connection *c);
/* The drops of uplinks gone by. */
const struct drop_counters *connection_drops(const struct connection *c);

#endif
