/*
 * How sealed packets reach the VPN server: a const struct of functions per
 * kind. An uplink is connected to one server and gives back only what comes
 * from it; one whose server may move, or that has several, gives what anybody
 * sends, each burst with its source.
 */
#ifndef UPLINK_UPLINK_H
#define UPLINK_UPLINK_H

#include "gateway/base/address.h"
#include "gateway/base/drop.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"
#include "gateway/packet/burst.h"

/* The uplink's calls to its owner, who may close it from inside any of them:
 * the caller touches neither uplink nor burst afterwards. */
struct uplink_owner {
    void *context;
    /* It stands, and may be sent to. */
    void (*connected)(void *context, struct instant now);
    /* It broke or never stood; the owner closes it. `why` for the log. */
    void (*failed)(void *context, struct instant now, const char *why);
    /* Datagrams as views into the uplink's buffers, free again on return. */
    void (*received)(void *context, struct instant now, struct burst *burst);
};

struct uplink;

struct uplink_kind {
    const char *name; /* "udp" */
    /* Sends every datagram without a drop reason, runs of equal size in one
     * system call; sets a drop reason where the system refused. */
    void (*send)(struct uplink *uplink, struct burst *burst);
    /* The destination of datagrams for that endpoint from now on; family NONE:
     * nowhere. NULL where there is one server and all datagrams go to it. */
    void (*aim)(struct uplink *uplink, unsigned endpoint,
                const struct endpoint *to);
    void (*close)(struct uplink *uplink);
};

/* First member of every uplink. */
struct uplink {
    const struct uplink_kind *kind;
    struct endpoint server;
    uint16_t overhead; /* outer IP and transport bytes of each datagram */
    uint16_t mtu;      /* of the outer path, as far as it is known; may change
                          while something is sent; 0: it does not matter */
    uint64_t refusals; /* ICMP says that nobody listens there; may be forged */
    struct drop_counters drops;
};

#endif
