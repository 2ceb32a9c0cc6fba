/* `--rules FILE`: firewall rules for those who have no QubesDB, or besides
 * it; the text is that of router_load_rules(). */
#ifndef GATEWAY_RULES_OPTION_H
#define GATEWAY_RULES_OPTION_H

#include "gateway/router/router.h"

enum { RULES_OPTION_FILE_MAX = 4 << 20 }; /* bytes */

/* False, and nothing is changed; the log says why. */
MUST_USE bool rules_option_load(const char *path, struct router *router,
                                struct instant now);

#endif
