/* What `vpn-gateway status` knows: the gateway's state as one JSON object,
 * and that object as text for a person. */
#ifndef GATEWAY_STATUS_H
#define GATEWAY_STATUS_H

#include <jansson.h>
#include <stdio.h>

#include "gateway/base/instant.h"
#include "gateway/link/link.h"
#include "gateway/openvpn/client.h"
#include "gateway/router/router.h"
#include "gateway/uplink/uplink.h"

/* Borrowed for the call. */
struct status_source {
    struct instant now;
    const struct client *client;
    const struct router *router;
    const struct uplink *uplink;              /* or NULL */
    const struct drop_counters *uplink_drops; /* of uplinks gone by */
    const char *question; /* what a login would answer, or NULL */
    struct link *const *links;
    size_t link_count;
};

/* Owned by the caller; NULL when memory is short. */
json_t *status_json(const struct status_source *source);

/* `colour`: with terminal colours. */
void status_print(const json_t *status, FILE *out, bool colour);

#endif
