/*
 * The server's sockets: UDP and TCP, either or both, behind one interface that
 * speaks of paths.
 */
#ifndef SERVE_SERVE_LISTENERS_H
#define SERVE_SERVE_LISTENERS_H

#include <jansson.h>

#include "gateway/event/loop.h"
#include "gateway/openvpn/server/server.h"

struct serve_listeners; /* heap */

struct serve_listeners_owner {
    void *context;
    /* Packets of one path. True if it is a client's by now. */
    bool (*received)(void *context, struct instant now,
                     const struct server_path *from, struct burst *burst);
    /* A client's connection has ended. */
    void (*ended)(void *context, struct instant now,
                  const struct server_path *from);
};

/* NULL on failure; the log says why. */
struct serve_listeners *
serve_listeners_open(const struct server_config *config, struct loop *loop,
                     const struct serve_listeners_owner *owner);
void serve_listeners_close(struct serve_listeners *l);

void serve_listeners_send(struct serve_listeners *l,
                          const struct server_path *to, struct burst *burst);
void serve_listeners_hang_up(struct serve_listeners *l,
                             const struct server_path *path);

/* The way adds this to each packet. */
uint16_t serve_listeners_overhead(const struct server_path *to);
/* The addresses that they listen on, for a person. */
void serve_listeners_describe(const struct server_config *config, char *out,
                              size_t size);
/* Adds what there is to know to a server's status. */
void serve_listeners_status(const struct serve_listeners *l, json_t *status,
                            json_t *drops);

#endif
