/*
 * Tells the person at the screen what became of the VPN: the name of its state
 * (gateway/base/vpn_state.h) in a datagram to a socket. The service behind it
 * (vpn-gateway-announce.socket) makes a notification of the desktop out of it.
 *
 *   connected           once
 *   waiting for login   each time
 *   any other           it was connected, and has not been again for
 *                       DESKTOP_NOTICE_PATIENCE; `stopped' at once
 *
 * Nobody is waited for; where nobody has the socket nothing happens. No text
 * of a server's is ever handed on. Opened before the sandbox; afterwards it
 * needs only sendto().
 */
#ifndef PROCESS_DESKTOP_NOTICE_H
#define PROCESS_DESKTOP_NOTICE_H

#include <sys/un.h>

#include "gateway/base/vpn_state.h"
#include "gateway/event/loop.h"

enum { DESKTOP_NOTICE_PATIENCE = 4 /* s; an ordinary reconnect is no news */ };

/* Embedded in its owner. */
struct desktop_notice {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    struct loop *loop;
    struct loop_timer patience; /* until a loss is said */
    enum vpn_state state;       /* to be said then */
    bool said_connected, waits;
};

/* `path` is a socket's, or NULL: nobody. */
void desktop_notice_open(struct desktop_notice *a, struct loop *loop,
                         const char *path);
/* A connected VPN counts as stopped then. */
void desktop_notice_close(struct desktop_notice *a);

void desktop_notice_state(struct desktop_notice *a, struct instant now,
                          enum vpn_state state);

#endif
