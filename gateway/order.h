/*
 * What a local user may order through the control socket: one JSON object,
 * {"command": NAME} and what the command takes. It comes from whoever may
 * open the socket.
 *
 *   status | settings | reconnect | stop
 *   login      one or more of username, password, response
 *   log-level  level: error, warn, info, debug, or default
 */
#ifndef GATEWAY_ORDER_H
#define GATEWAY_ORDER_H

#include <jansson.h>

#include "gateway/base/log.h"

enum order_type {
    ORDER_STATUS,
    ORDER_SETTINGS,
    ORDER_RECONNECT,
    ORDER_STOP,
    ORDER_LOGIN,
    ORDER_LOG_LEVEL,
};

/* Text is borrowed from the request. */
struct order {
    enum order_type type;
    const char *username, *password, *response; /* NULL: not said */
    int log_level;                              /* -1: the default */
};

/* False if it is none of these, or lacks what it takes. */
MUST_USE bool order_parse(const json_t *request, struct order *out);

#endif
