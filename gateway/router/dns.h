/*
 * The two virtual resolvers that every qube has in its resolv.conf: what is
 * sent to them goes to the resolvers of the tunnel, and nowhere else.
 */
#ifndef ROUTER_DNS_H
#define ROUTER_DNS_H

#include "gateway/base/instant.h"
#include "gateway/base/tunnel.h"

enum {
    /* A resolver that has left so many questions unanswered, the first of
     * them for so long, is passed over if there is another; and tried again
     * after a while. Seconds. */
    DNS_SILENT_QUESTIONS = 3,
    DNS_SILENT_AFTER = 3,
    DNS_SILENT_UNTIL = 60,
};

/* How a resolver does. */
struct dns_health {
    uint32_t unanswered;
    struct instant since; /* the first of them */
};

struct dns {
    struct address virtual[2];   /* 10.139.1.1 and 10.139.1.2 */
    struct address resolvers[2]; /* what they stand for; family NONE: nothing */
    struct dns_health health[2]; /* of the resolvers */
};

void dns_init(struct dns *d);

/* Takes the tunnel's first two resolvers that can be reached by IPv4, as the
 * virtual ones are; with one, both stand for it. */
void dns_set_tunnel(struct dns *d, const struct tunnel *tunnel);

bool dns_is_virtual(const struct dns *d, const struct address *address);

/* The resolver behind a virtual one, or the other one where that is silent;
 * NULL where there is none. */
const struct address *dns_resolver(const struct dns *d, struct instant now,
                                   const struct address *address);

/* Something was asked of a resolver; one of them has answered. */
void dns_asked(struct dns *d, struct instant now,
               const struct address *resolver);
void dns_answered(struct dns *d, const struct address *resolver);

#endif
