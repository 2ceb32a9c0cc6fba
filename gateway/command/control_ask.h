/* One question to a running gateway over its control socket, and its answer. */
#ifndef COMMAND_CONTROL_ASK_H
#define COMMAND_CONTROL_ASK_H

#include <jansson.h>

enum { CONTROL_ASK_WHY_SIZE = 1024 };

/* Takes `request`; the answer is the caller's. NULL, and why not. */
json_t *control_ask_quietly(const char *path, json_t *request,
                            char why[CONTROL_ASK_WHY_SIZE]);
/* The same, after saying why not on standard error. */
json_t *control_ask(const char *path, json_t *request);

/* The request `status`. */
json_t *control_ask_for_status(void);

#endif
