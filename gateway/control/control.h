/*
 * The control socket: a Unix stream socket on which a local user asks for
 * status or gives an order. One JSON object on a line asks, one JSON object
 * on a line answers, then the connection ends. Bounded in clients, bytes and
 * time, so that a client which stalls or sends rubbish costs nothing.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <jansson.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"

enum {
    CONTROL_CLIENTS_MAX = 8,
    CONTROL_REQUEST_MAX = 16384, /* bytes */
    CONTROL_CLIENT_SECONDS = 5,  /* to ask and to take the answer */
};

struct control; /* heap; owns the socket's file */

/* The answer to one request, owned by the caller; NULL means "not
 * understood". */
typedef json_t *control_handler(void *context, struct instant now,
                                const json_t *request);

/* The line that answers the line `request`, which has no line feed; from the
 * heap, with a line feed at its end. NULL when memory is short. */
char *control_answer(control_handler *handler, void *context,
                     struct instant now, struct bytes request);

/* Replaces a stale socket file, refuses one that is in use; makes the directory
 * that it is in. NULL on failure; the log says why. */
struct control *control_open(const char *path, struct loop *loop,
                             control_handler *handler, void *context);
void control_close(struct control *c);

#endif
