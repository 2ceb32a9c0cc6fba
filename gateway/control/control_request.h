/*
 * A local user's order through the control socket: one JSON object, {"command":
 * NAME} and what the command takes. It comes from whoever may open the socket.
 *
 *   status | settings | reconnect | stop
 *   login      one or more of username, password, response
 *   log-level  level: error, warn, info, debug, or default
 */
#ifndef CONTROL_CONTROL_REQUEST_H
#define CONTROL_CONTROL_REQUEST_H

#include <jansson.h>

#include "gateway/base/log.h"

enum control_request_type {
    CONTROL_REQUEST_STATUS,
    CONTROL_REQUEST_SETTINGS,
    CONTROL_REQUEST_RECONNECT,
    CONTROL_REQUEST_STOP,
    CONTROL_REQUEST_LOGIN,
    CONTROL_REQUEST_LOG_LEVEL,
};

/* Text is borrowed from the request. */
struct control_request {
    enum control_request_type type;
    const char *username, *password, *response; /* NULL: not said */
    int log_level;                              /* -1: the default */
};

/* False if it is none of these, or lacks what it takes. */
MUST_USE bool control_request_parse(const json_t *request,
                                    struct control_request *out);

/* Its command is one of these, whatever else is wrong with it. */
bool control_request_known(const json_t *request);

/* The answer to a command that another kind of gateway takes, or none; NULL
 * for what is no command. `self` is what this one is, `takes` its commands. */
json_t *control_request_foreign(const json_t *request, const char *self,
                                const char *takes);

#endif
