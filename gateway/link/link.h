/*
 * How frames of qubes reach us: a const struct of functions per kind. A link
 * carries one or more qubes; it strips and adds Ethernet, answers ARP and ND,
 * and gives IP packets with their offload data, never anything else.
 *
 * Each packet it delivers has `qube` set to what its owner gave for that qube,
 * data at the IP header, and PACKET_HEADROOM or more in front.
 *
 * A qube goes only in a turn of its own: no link calls qube_removed() while its
 * owner is in received(), or in send(). The link has forgotten the qube by
 * then, and the owner may free it.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "gateway/base/address.h"
#include "gateway/base/drop.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"
#include "gateway/packet/packet.h"

struct link;

/* A link takes packets for one of its qubes here. */
struct link_port {
    struct link *link;
};

/* The link's calls to its owner. */
struct link_owner {
    void *context;
    /* A batch of packets from qubes; the batch is the link's, and free again
     * on return. */
    void (*received)(void *context, struct instant now,
                     struct packet_batch *batch);
    /* A qube came: what is its packets' `qube`, or NULL to refuse. `port` is
     * there until it is gone; `name` for people: "tap:qube0", "vif7.0". ipv6
     * may be unset. */
    struct qube *(*qube_added)(void *context, struct link_port *port,
                               const char *name, const struct address *ipv4,
                               const struct address *ipv6);
    void (*qube_removed)(void *context, struct qube *qube);
};

struct link_kind {
    const char *name;
    /* Sends packets to the port's qube; never blocks. Sets `drop` on those that
     * could not be queued. Packets are borrowed for the call. Uses the
     * packets' headroom. */
    void (*send)(struct link_port *port, struct instant now,
                 struct packet *const *packets, size_t count);
    /* Would the qube take the packet as it is, large or with its checksum to be
     * filled? NULL: every one does. */
    bool (*takes)(const struct link_port *port, const struct packet *packet);
    void (*close)(struct link *link);
};

/* First member of every link. */
struct link {
    const struct link_kind *kind;
    struct link_port port; /* of a link that carries one qube */
    bool takes_udp_gso;    /* UDP super-packets, too, may be sent to it */
    struct drop_counters drops;
};

#endif
