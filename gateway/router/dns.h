/*
 * The two virtual resolvers that every qube has in its resolv.conf: what is
 * sent to them goes to the resolvers of the tunnel, and nowhere else.
 */
#ifndef ROUTER_DNS_H
#define ROUTER_DNS_H

#include "gateway/base/tunnel.h"

enum { DNS_PORT = 53 };

struct dns {
    struct address virtual[2];   /* 10.139.1.1 and 10.139.1.2 */
    struct address resolvers[2]; /* what they stand for; family NONE: nothing */
};

void dns_init(struct dns *d);

/* Takes the tunnel's first two resolvers that can be reached by IPv4, as the
 * virtual ones are; with one, both stand for it. */
void dns_set_tunnel(struct dns *d, const struct tunnel *tunnel);

bool dns_is_virtual(const struct dns *d, const struct address *address);

/* The resolver behind a virtual one, or NULL. */
const struct address *dns_resolver(const struct dns *d,
                                   const struct address *address);

#endif
