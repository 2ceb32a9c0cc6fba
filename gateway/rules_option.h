/* `--rules FILE`: firewall rules where there is no QubesDB, or besides it; the
 * text is that of router_load_rules(). */
#ifndef GATEWAY_RULES_OPTION_H
#define GATEWAY_RULES_OPTION_H

#include "gateway/router/router.h"

enum { RULES_OPTION_FILE_MAX = 4 << 20 }; /* bytes */

struct rules_option {
    const char *path;   /* NULL: there is none */
    char problem[1024]; /* why it was not taken when it was last read, or "" */
};

/* Reads the file, at the start and whenever it is to be read again. False, and
 * the rules are what they were; the log says why, as `problem` does. */
MUST_USE bool rules_option_load(struct rules_option *option,
                                struct router *router, struct instant now);

#endif
