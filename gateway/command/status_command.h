/*
 * `vpn-gateway status`: one look, or one after another. A gateway that ends
 * and starts anew is waited for in both of these.
 *
 *   watch    the whole picture each second, on a terminal in place of the last
 *   follow   a line for each change, for logs and screen readers
 */
#ifndef COMMAND_STATUS_COMMAND_H
#define COMMAND_STATUS_COMMAND_H

#include <stdbool.h>

struct status_command {
    const char *control; /* the socket */
    bool json;
    bool watch, follow;
    bool quiet; /* the exit code alone */
    bool all;   /* and what is normal */
};

/* The process's exit code. */
int status_command(const struct status_command *c);

#endif
