/*
 * SOCKS version 5 (RFC 1928) without authentication or with user name and
 * password (RFC 1929), and the header that it puts in front of datagrams.
 *
 *   05 n methods            ->   05 method
 *   01 n name n password    ->   01 status        where the method is 2
 *   05 command 00 address   ->   05 reply 00 address
 *
 *   address   type  address          port
 *             01    4 bytes          2 bytes
 *             04    16 bytes
 *             03    n, n bytes       a name
 *   datagram  00 00 00 address payload
 */
#ifndef UPLINK_PROXY_SOCKS_H
#define UPLINK_PROXY_SOCKS_H

#include "gateway/base/address.h"
#include "gateway/uplink/proxy.h"

enum proxy_socks_command {
    PROXY_SOCKS_CONNECT = 1,
    PROXY_SOCKS_UDP_ASSOCIATE = 3,
};

enum {
    PROXY_SOCKS_STRING_MAX = 255,
    PROXY_SOCKS_ADDRESS_MAX = 1 + 1 + PROXY_SOCKS_STRING_MAX + 2,
    PROXY_SOCKS_HEADER_MAX = 3 + PROXY_SOCKS_ADDRESS_MAX,
};

struct proxy_socks {
    struct proxy_talk talk; /* first */
    enum proxy_socks_step {
        PROXY_SOCKS_AWAIT_METHOD,
        PROXY_SOCKS_AWAIT_STATUS,
        PROXY_SOCKS_AWAIT_REPLY,
    } step;
    bool authorized; /* we have credentials */
    size_t login_size, request_size;
    uint8_t login[3 + 2 * PROXY_SOCKS_STRING_MAX];
    uint8_t request[3 + PROXY_SOCKS_ADDRESS_MAX];
    size_t received; /* of the message that comes in */
    uint8_t message[3 + PROXY_SOCKS_ADDRESS_MAX];
    /* DONE: what the proxy bound; where datagrams go. A relay that does not
     * say its address has family NONE: it is the proxy's. */
    struct endpoint bound;
};

/* The greeting is in talk.out, further messages will be; FAILED where the
 * request cannot be made. There are credentials in it: whoever holds it wipes
 * it. */
void proxy_socks_init(struct proxy_socks *p, const struct proxy *proxy,
                      enum proxy_socks_command command);

/* How much of it was the proxy's: after DONE the rest is the server's. */
size_t proxy_socks_receive(struct proxy_socks *p, struct bytes in);

/* Writes the header of a datagram to the server; 0 if the server's name is too
 * long. */
size_t proxy_socks_header(const struct proxy *proxy,
                          uint8_t out[PROXY_SOCKS_HEADER_MAX]);
/* Reads the header of a datagram from the server: *payload is what follows it,
 * and *source has family NONE if it is a name. */
MUST_USE bool proxy_socks_parse(struct bytes datagram, struct endpoint *source,
                                struct bytes *payload);

#endif
