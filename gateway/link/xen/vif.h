/*
 * One qube's network card as xenstore, grants and event channels show it: the
 * xenbus handshake, and the rings while it is connected. The packets in the
 * rings are netback's.
 *
 *                  description read, features offered
 *   NEW ------------------------------------------------> AWAIT_FRONTEND
 *    | both ends connected: rings of an earlier process      |     ^
 *    +---------------------> CONNECTED <---------------------+     |
 *                             |     rings mapped, port bound       |
 *       frontend closes, dies,|or breaks the protocol              |
 *                             v                                    |
 *                        AWAIT_RETURN -----------------------------+
 *                                        frontend starts anew
 *   any -> LEAVING: the toolstack wants it away; it is Closed
 *   any -> GONE: its directory is; after LEAVING we remove it
 *   any -> NEW: the toolstack wrote another description
 *
 * The toolstack waits ten seconds for a new card's state to be InitWait, and
 * for that of one it detaches to be Closed and then for its directory to go.
 * When its process has its turn it compares what is there then: a state that
 * has passed meanwhile it does not see, and attaching or detaching has failed
 * (Xen's libxl_event.c, devstate_callback). So both states stand a while,
 * whatever the frontend says. (Linux' backend owes that while to the script
 * that it waits for.)
 *
 * Backend directory <home>/backend/vif/<domain>/<handle>, written by the
 * toolstack: frontend, frontend-id, mac, ip, online, state. Frontend
 * directory, written by the qube: tx-ring-ref, rx-ring-ref, event-channel,
 * request-rx-copy, feature-*, state. (xen/include/public/io/netif.h,
 * xenbus.h; Xen's libxl_nic.c, libxl_device.c.)
 */
#ifndef LINK_XEN_VIF_H
#define LINK_XEN_VIF_H

#include "gateway/base/address.h"
#include "gateway/link/link.h"
#include "gateway/link/xen/event_channel.h"
#include "gateway/link/xen/netback_receive.h"
#include "gateway/link/xen/netback_transmit.h"
#include "gateway/link/xen/xenstore.h"

enum vif_state {
    VIF_NEW,
    VIF_AWAIT_FRONTEND,
    VIF_CONNECTED,
    VIF_AWAIT_RETURN,
    VIF_LEAVING,
    VIF_GONE,
    VIF_STATE_COUNT
};

struct vif;

/* The parts that a vif needs, and its owner. */
struct vif_host {
    struct xenstore *xenstore;
    struct grant *grant;
    struct event_channel *events;
    struct netback_receive_batch *receive_batch;
    void *context;
    /* The rings are there; serve them at once. */
    void (*connected)(void *context, struct vif *vif);
    /* They are about to go. */
    void (*disconnected)(void *context, struct vif *vif);
};

/* netback's own, about when to serve. */
struct vif_service {
    struct vif *next;     /* of those that have work */
    bool pending;         /* is one of those */
    bool masked;          /* its port is */
    int32_t credit;       /* cost that it may cause before others' turn */
    uint32_t idle_events; /* in a row that meant nothing */
    struct instant unmask_at;
};

/* vif_table's own, about when to look. */
struct vif_attention {
    bool dirty;              /* xenstore changed */
    uint32_t looks;          /* at xenstore that it has still */
    struct instant looks_at; /* when it last got some */
    struct instant due;      /* to look, whatever xenstore says */
};

struct vif {
    struct link_port port; /* first */
    const struct vif_host *host;
    uint32_t domain, handle;
    char name[24]; /* "vif7.0" */
    char backend[XENSTORE_DIRECTORY_SIZE];
    char frontend[XENSTORE_DIRECTORY_SIZE];
    enum vif_state state;
    uint32_t told;               /* our xenbus state, as xenstore has it */
    bool watched;                /* the frontend's state is */
    bool unusable;               /* the description is */
    const char *wrong;           /* the rings must not be used again, and why */
    struct instant stands_until; /* what the toolstack has to see */

    struct address ipv4;
    struct address ipv6;               /* or unset */
    struct ethernet_header to_qube[2]; /* IPv4, IPv6 */
    struct qube *qube;                 /* netback's: of its owner, or NULL */

    void *pages[2]; /* to and from the qube */
    bool bound;
    uint32_t event_port;
    bool notifies; /* when it has posted pages */
    struct netback_peer peer;
    struct netback_ring transmit;
    struct netback_receive receive;

    struct vif_service service;
    struct vif_attention attention;
};

/* For the directory `backend`. NULL when memory is short. `host` is borrowed.
 * */
struct vif *vif_new(const struct vif_host *host, const char *backend,
                    uint32_t domain, uint32_t handle);
/* Leaves xenstore as it is, so that a later process takes over. */
void vif_free(struct vif *vif);

/* Reads both ends' states and does what they ask for. Returns when it has to
 * look again though nothing changes. */
MUST_USE struct instant vif_look(struct vif *vif, struct instant now);

/* The frontend broke the protocol: closes this vif until it starts anew. */
void vif_close(struct vif *vif, const char *why);

#endif
