/*
 * Tells the person at the screen what became of the tunnel: one word in a
 * datagram to a socket. Whoever has it (vpn-gateway-announce.socket) makes a
 * notification of the desktop out of it.
 *
 *   up      the tunnel stands
 *   down    it stood, and has not been back for ANNOUNCE_PATIENCE
 *   login   something is asked that a person knows
 *
 * Nobody is waited for; where nobody has the socket nothing happens. No text
 * of a server's is ever handed on. Opened before the sandbox; afterwards it
 * needs only sendto().
 */
#ifndef GATEWAY_ANNOUNCE_H
#define GATEWAY_ANNOUNCE_H

#include <sys/un.h>

#include "gateway/event/loop.h"

enum { ANNOUNCE_PATIENCE = 4 /* s; an ordinary reconnect is no news */ };

/* Embedded in its owner. */
struct announce {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    struct loop *loop;
    struct loop_timer patience; /* until "down" is said */
    bool said_up, waits;
};

/* `path` is a socket's, or NULL: nobody. */
void announce_open(struct announce *a, struct loop *loop, const char *path);
/* What was up is down then. */
void announce_close(struct announce *a);

void announce_up(struct announce *a);
void announce_down(struct announce *a, struct instant now);
void announce_login(struct announce *a);

#endif
