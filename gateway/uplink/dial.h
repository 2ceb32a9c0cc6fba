/*
 * A TCP connection until it may be used: connect(), and where there is a
 * proxy the talk with it. How long that may take is its owner's business.
 */
#ifndef UPLINK_DIAL_H
#define UPLINK_DIAL_H

#include "gateway/event/loop.h"
#include "gateway/uplink/proxy_http.h"
#include "gateway/uplink/proxy_socks.h"

/* Called from the loop, each as the last thing that is done: the owner may
 * take the dial down. */
struct dial_owner {
    void *context;
    /* `rest` came behind the proxy's last word. */
    void (*done)(void *context, struct instant now, struct bytes rest);
    void (*failed)(void *context, struct instant now, const char *why);
};

/* Embedded in its owner. */
struct dial {
    struct loop *loop;
    struct loop_watch watch; /* fd -1: none */
    struct dial_owner owner;
    bool connected;
    enum proxy_kind proxy;
    size_t sent; /* of talk.out */
    union {
        struct proxy_talk talk; /* what both begin with */
        struct proxy_http http;
        struct proxy_socks socks;
    };
};

/* To the server, or to `proxy`, which is copied, where it is not NULL. The
 * command counts for a SOCKS proxy. On failure nothing is open, and the log
 * says why. */
enum error dial_open(struct dial *d, const struct endpoint *peer,
                     const struct proxy *proxy,
                     enum proxy_socks_command command, struct loop *loop,
                     const struct dial_owner *owner);
/* The connected socket, which is the caller's from now on. After done(). */
int dial_take(struct dial *d);
/* Closes what was not taken; wipes. */
void dial_close(struct dial *d);

#endif
