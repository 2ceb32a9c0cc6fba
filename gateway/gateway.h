/*
 * The gateway: joins links, router, OpenVPN client and uplink in one event
 * loop, and performs what the client asks for.
 *
 *   link -> router -> segment -> client_seal -> uplink
 *   uplink -> client_open -> coalesce -> router -> link
 *
 * The only way from a link to an uplink is through client_seal(), which
 * refuses unless the tunnel is up.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "gateway/base/error.h"
#include "gateway/process/sandbox.h"
#include "gateway/process/settings.h"

struct gateway;

/* Opens everything. Borrows the settings for its life. NULL on failure; the
 * log says why. */
struct gateway *gateway_new(const struct settings *settings);
/* Serves from the beginning, connects as soon as dom0's settings are known,
 * and says goodbye when told to stop by a signal, the control socket or, where
 * nobody could name another profile, the server. ERROR_SYSTEM if the loop
 * fails. `sandbox` is borrowed, for `status`. */
enum error gateway_run(struct gateway *g, const struct sandbox *sandbox);
void gateway_free(struct gateway *g);

#endif
