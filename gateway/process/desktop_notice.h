/*
 * Tells the person at the screen what became of the tunnel: one word in a
 * datagram to a socket. Whoever has it (vpn-gateway-announce.socket) makes a
 * notification of the desktop out of it.
 *
 *   up      the tunnel stands
 *   down    it stood, and has not been back for DESKTOP_NOTICE_PATIENCE
 *   login   something is asked that a person knows
 *
 * Nobody is waited for; where nobody has the socket nothing happens. No text
 * of a server's is ever handed on. Opened before the sandbox; afterwards it
 * needs only sendto().
 */
#ifndef PROCESS_DESKTOP_NOTICE_H
#define PROCESS_DESKTOP_NOTICE_H

#include <sys/un.h>

#include "gateway/event/loop.h"

enum { DESKTOP_NOTICE_PATIENCE = 4 /* s; an ordinary reconnect is no news */ };

/* Embedded in its owner. */
struct desktop_notice {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    struct loop *loop;
    struct loop_timer patience; /* until "down" is said */
    bool said_up, waits;
};

/* `path` is a socket's, or NULL: nobody. */
void desktop_notice_open(struct desktop_notice *a, struct loop *loop,
                         const char *path);
/* What was up is down then. */
void desktop_notice_close(struct desktop_notice *a);

void desktop_notice_up(struct desktop_notice *a);
void desktop_notice_down(struct desktop_notice *a, struct instant now);
void desktop_notice_login(struct desktop_notice *a);

#endif
