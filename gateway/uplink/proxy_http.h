/*
 * An HTTP proxy's CONNECT (RFC 9110 section 9.3.6), with Basic authentication
 * (RFC 7617) at once where there are credentials.
 *
 *   CONNECT vpn.example.net:443 HTTP/1.0       HTTP/1.1 200 Established
 *   Host: vpn.example.net:443             ->   ...
 *   Proxy-Authorization: Basic ...             (empty line)
 */
#ifndef UPLINK_PROXY_HTTP_H
#define UPLINK_PROXY_HTTP_H

#include "gateway/uplink/proxy.h"

enum {
    PROXY_HTTP_REPLY_MAX = 16384, /* a header that is longer has no end */
    PROXY_HTTP_LINE_SIZE = 256,   /* of a line so much is looked at */
    PROXY_HTTP_METHODS_SIZE = 48,
};

struct proxy_http {
    struct proxy_talk talk; /* first */
    bool authorized;        /* we sent credentials */
    bool basic;             /* the proxy takes them */
    unsigned status;        /* 0 before the first line has ended */
    size_t received;        /* of the header */
    size_t line_size;
    char line[PROXY_HTTP_LINE_SIZE]; /* the one that comes in, its start */
    char methods[PROXY_HTTP_METHODS_SIZE]; /* that the proxy offers */
};

/* The request is in talk.out; FAILED where it cannot be made. There are
 * credentials in it: whoever holds it wipes it. */
void proxy_http_init(struct proxy_http *p, const struct proxy *proxy);

/* How much of it was the proxy's: after DONE the rest is the server's. */
size_t proxy_http_receive(struct proxy_http *p, struct bytes in);

#endif
