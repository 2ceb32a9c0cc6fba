/* Carries out the session's news in the client: key exchange, push, the
 * server's messages. */
#ifndef OPENVPN_CLIENT_CLIENT_EVENT_H
#define OPENVPN_CLIENT_CLIENT_EVENT_H

#include "gateway/openvpn/client/client_state.h"

/* To be called after each input: lets the news have their effect. */
void client_event_settle(struct client *c);

/* Makes the tunnel's packets fit the outer path. */
void client_event_fit_path(struct client *c);

#endif
