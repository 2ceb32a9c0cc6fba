/*
 * How frames of qubes reach us: a const struct of functions per kind. A link
 * carries one or more qubes; it strips and adds Ethernet, answers ARP and ND,
 * and gives IP packets with their offload data, never anything else.
 *
 * Each packet it delivers has `qube` set to the index its owner gave that
 * qube, data at the IP header, and PACKET_HEADROOM or more in front.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "gateway/base/address.h"
#include "gateway/base/drop.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"
#include "gateway/packet/packet.h"

enum {
    LINK_QUBES_MAX = 256,
    LINK_MTU = 1500, /* of the network card that a qube has */
};

struct link;

/* What the link tells its owner. */
struct link_owner {
    void *context;
    /* A batch of packets from qubes; the batch is the link's, and free again
     * on return. */
    void (*received)(void *context, struct instant now,
                     struct packet_batch *batch);
    /* A qube came: the index to use for it, or -1 to refuse. `name` for
     * people: "tap:qube0", "vif7.0". ipv6 may be unset. */
    int (*qube_added)(void *context, struct link *link, const char *name,
                      const struct address *ipv4, const struct address *ipv6);
    void (*qube_removed)(void *context, int qube);
};

struct link_kind {
    const char *name;
    /* Sends packets to their qubes; never blocks. Sets `drop` on those that
     * could not be queued. Packets are borrowed for the call. Uses the
     * packets' headroom. */
    void (*send)(struct link *link, struct instant now, struct packet *packets,
                 size_t count);
    /* Would its qube take the packet as it is, large or with its checksum to be
     * filled? NULL: every one does. */
    bool (*takes)(const struct link *link, const struct packet *packet);
    void (*close)(struct link *link);
};

/* First member of every link. */
struct link {
    const struct link_kind *kind;
    bool takes_udp_gso; /* UDP super-packets, too, may be sent to it */
    struct drop_counters drops;
};

#endif
