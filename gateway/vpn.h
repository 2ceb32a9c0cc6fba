/*
 * The VPN side of the gateway: the OpenVPN client, the connection that it
 * asks for, and the questions that it has for a person. Packets of qubes go
 * in through vpn_send() and come out through received(); there is no other
 * way to an uplink.
 *
 *   vpn_send -> client_seal -> uplink
 *   uplink -> client_open -> received
 */
#ifndef GATEWAY_VPN_H
#define GATEWAY_VPN_H

#include "gateway/base/burst.h"
#include "gateway/base/tunnel.h"
#include "gateway/event/loop.h"
#include "gateway/openvpn/client.h"
#include "gateway/uplink/uplink.h"

struct vpn; /* heap */

/* Called from the loop and from inside the functions below. None of these may
 * free it. */
struct vpn_owner {
    void *context;
    /* The tunnel stands, or is another than before. */
    void (*up)(void *context, struct instant now, const struct tunnel *tunnel);
    void (*down)(void *context, struct instant now);
    /* Packets, opened in place; those with a drop reason are none. */
    void (*received)(void *context, struct instant now, struct burst *burst);
    /* A line for the service manager: the state is another. */
    void (*state)(void *context, const char *line);
    /* There will be no tunnel any more. */
    void (*stopped)(void *context, const char *why);
};

/* Borrows loop and profile for its life; `owner` is copied. NULL when memory
 * is short or the profile's keys cannot be used; the log says why. */
struct vpn *vpn_new(struct loop *loop, const struct config *profile,
                    const struct vpn_owner *owner);
void vpn_free(struct vpn *v);

void vpn_start(struct vpn *v, struct instant now);
void vpn_reconnect(struct vpn *v, struct instant now);
/* Says goodbye; stopped() follows, perhaps from inside. */
void vpn_stop(struct vpn *v, struct instant now);
/* Answers the question. */
void vpn_log_in(struct vpn *v, struct instant now, const char *username,
                const char *password, const char *response);

/* Where to put packets for vpn_send(). */
struct burst_layout vpn_layout(const struct vpn *v);
/* Seals and sends what is in the burst, if the tunnel is up, and empties it
 * in any case. */
void vpn_send(struct vpn *v, struct instant now, struct burst *burst);

/* For `status`; borrowed until the next call. */
struct vpn_view {
    const struct client *client;
    const struct uplink *uplink;              /* or NULL */
    const struct drop_counters *uplink_drops; /* of uplinks gone by */
    const char *question; /* what a login would answer, or NULL */
};
struct vpn_view vpn_view(const struct vpn *v);

#endif
