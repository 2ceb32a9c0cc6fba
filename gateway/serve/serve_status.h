/* A server's state for `vpn-gateway status`: one JSON object, and that object
 * as text for a person. */
#ifndef SERVE_SERVE_STATUS_H
#define SERVE_SERVE_STATUS_H

#include <jansson.h>
#include <stdio.h>

#include "gateway/openvpn/server/server.h"
#include "gateway/serve/serve_listeners.h"

/* Borrowed for the call. */
struct serve_status_source {
    struct instant now;
    const struct server *server;
    const struct serve_listeners *listeners;
    const struct drop_counters *drops[2]; /* of everything else around it */
};

/* Owned by the caller; NULL when memory is short. */
json_t *serve_status_json(const struct serve_status_source *source);

/* Whether an object is a server's. */
bool serve_status_is(const json_t *status);
enum { SERVE_STATUS_HEAD_SIZE = 160 };
/* How many clients there are, in a line. */
const char *serve_status_head(const json_t *status,
                              char out[SERVE_STATUS_HEAD_SIZE]);
void serve_status_print(const json_t *status, FILE *out);

#endif
