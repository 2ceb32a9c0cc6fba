/*
 * One protocol at work in the loop: made of one profile, with the connection
 * that it asks for and its question to a person. It performs what the protocol
 * says; which one there is, is decided in vpn.c.
 */
#ifndef VPN_VPN_CLIENT_H
#define VPN_VPN_CLIENT_H

#include "gateway/event/loop.h"
#include "gateway/uplink/uplink.h"
#include "gateway/vpn/protocol.h"

struct vpn_client; /* heap */

/* The tunnel, for what is above all of vpn. None of these may free it. */
struct vpn_tunnel_owner {
    void *context;
    /* It stands, or is another than before. */
    void (*up)(void *context, struct instant now, const struct tunnel *tunnel);
    void (*down)(void *context, struct instant now);
    /* Packets, opened in place; those with a drop reason are none. */
    void (*received)(void *packets, struct instant now, struct burst *burst);
    void *packets; /* the context of received() */
};

/* The client's calls to its owner, who decides. None of these may free it. */
struct vpn_client_owner {
    void *context;
    /* Its uplink stands, to there. */
    void (*connected)(void *context, const struct endpoint *server);
    /* It is in another state, or made one more attempt. */
    void (*state)(void *context, struct instant now,
                  const struct protocol_status *status);
    /* Nothing more will happen with it; `why' is NULL where that was wanted. */
    void (*stopped)(void *context, struct instant now, const char *why);
};

/* Takes the profile in any case. NULL when memory is short or its keys cannot
 * be used: `why` and the log say which. `stamp` is protocol_env's
 * latest_stamp. Owners are copied. */
struct vpn_client *vpn_client_new(struct loop *loop,
                                  struct protocol_profile *profile,
                                  int64_t *stamp,
                                  const struct vpn_client_owner *owner,
                                  const struct vpn_tunnel_owner *tunnel,
                                  char why[PROTOCOL_WHY_SIZE]);
/* Says nothing to anybody. */
void vpn_client_free(struct vpn_client *c);

void vpn_client_start(struct vpn_client *c, struct instant now);
void vpn_client_reconnect(struct vpn_client *c, struct instant now);
/* The machine slept, or there is another way to the servers. */
void vpn_client_way_changed(struct vpn_client *c, struct instant now);
/* Ends a pause, if there is one. */
void vpn_client_end_pause(struct vpn_client *c, struct instant now);
/* Says goodbye; stopped() follows, perhaps from inside. */
void vpn_client_stop(struct vpn_client *c, struct instant now);
/* The same without stopped(), to be freed. */
void vpn_client_retire(struct vpn_client *c, struct instant now);
/* Its pause does not end by itself any more, or does again. */
void vpn_client_hold(struct vpn_client *c, bool hold);
/* Answers the question. */
void vpn_client_log_in(struct vpn_client *c, struct instant now,
                       const char *username, const char *password,
                       const char *response);

struct burst_layout vpn_client_layout(const struct vpn_client *c);
/* Seals and sends what is in the burst, if the tunnel is up, and empties it
 * in any case. */
void vpn_client_send(struct vpn_client *c, struct instant now,
                     struct burst *burst);

/* Borrowed until the next call. */
void vpn_client_status(const struct vpn_client *c, struct protocol_status *out);
/* Says to a person what is waited for, and what may be the reason. False if
 * nothing is, or not for long. */
bool vpn_client_waiting(const struct vpn_client *c, struct instant now,
                        char out[PROTOCOL_WAITING_SIZE]);
enum { VPN_CLIENT_NO_ROUTE_SIZE = 256 };
/* Says to a person what is wrong with a tunnel without tunnel_has_route(). */
const char *vpn_client_no_route(const struct vpn_client *c,
                                char out[VPN_CLIENT_NO_ROUTE_SIZE]);
const struct protocol_profile *vpn_client_profile(const struct vpn_client *c);
/* The question that a login would answer, or NULL. */
const char *vpn_client_question(const struct vpn_client *c);
/* NULL while there is none. */
const struct uplink *vpn_client_uplink(const struct vpn_client *c);
/* Adds all drops but the protocol's own: see its status. */
void vpn_client_add_drops(const struct vpn_client *c,
                          struct drop_counters *sum);

#endif
