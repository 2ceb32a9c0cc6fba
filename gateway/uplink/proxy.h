/*
 * The request to a proxy, and the talk with it as far as all kinds are alike.
 * No socket here: bytes in, bytes out.
 */
#ifndef UPLINK_PROXY_H
#define UPLINK_PROXY_H

#include "gateway/base/bytes.h"

enum proxy_kind { PROXY_NONE, PROXY_HTTP, PROXY_SOCKS };

/* Borrowed while it is read. */
struct proxy {
    enum proxy_kind kind;
    const char *host; /* of the VPN server: a name for the proxy to resolve, or
                         an address */
    uint16_t port;
    const char *username, *password; /* or NULL */
    const char *headers; /* HTTP: more lines, each with CRLF; or NULL */
    bool http_1_1;
};

enum proxy_progress { PROXY_TALKING, PROXY_DONE, PROXY_FAILED };

enum {
    PROXY_OUT_SIZE = 8192,
    PROXY_WHY_SIZE = 160,
};

/* The first member of each kind's talk. */
struct proxy_talk {
    enum proxy_progress progress;
    struct writer out;        /* over `memory`: all that was ever to be sent */
    char why[PROXY_WHY_SIZE]; /* FAILED, or the likely reason of an end */
    uint8_t memory[PROXY_OUT_SIZE];
};

#endif
