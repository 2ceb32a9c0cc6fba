/* The gateway's state for `vpn-gateway status`: one JSON object, and that
 * object as text for a person. */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include <jansson.h>
#include <stdio.h>

#include "gateway/base/instant.h"
#include "gateway/dom0/dom0.h"
#include "gateway/link/link.h"
#include "gateway/process/sandbox.h"
#include "gateway/router/router.h"
#include "gateway/vpn/vpn.h"

/* Borrowed for the call. */
struct status_source {
    struct instant now;
    const struct sandbox *sandbox;
    struct vpn_view vpn;
    const struct tunnel *tunnel;  /* as it is used; NULL: not connected */
    const struct tunnel *granted; /* the same without dom0's limits */
    const struct vm_config *settings;
    const char *qubesdb;     /* "none", "in contact", "no answer" */
    const struct dom0 *dom0; /* NULL: none */
    const struct router *router;
    const char *rules_problem; /* of the rules' file, or "" */
    struct link *const *links;
    size_t link_count;
};

/* Owned by the caller; NULL when memory is short. */
json_t *status_json(const struct status_source *source);

/* As text; null where it is unset. */
json_t *status_address(const struct address *a);

/* Adds the counters above zero to what the object has of them. */
void status_add_drops(json_t *object, const struct drop_counters *drops);

struct status_style {
    const json_t *before; /* the same a while ago, to tell rates; or NULL */
    bool colour;
    bool all; /* and what is normal: multicast that was dropped, rules */
};
void status_print(const json_t *status, FILE *out,
                  const struct status_style *style);

#endif
