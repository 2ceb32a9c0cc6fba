/*
 * Pings inside the tunnel and the two timers around them: one is sent when
 * nothing was sent for a while; when nothing authentic was received for
 * longer, the peer is gone (openvpn: ping.c).
 */
#ifndef OPENVPN_SESSION_KEEPALIVE_H
#define OPENVPN_SESSION_KEEPALIVE_H

#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

enum { KEEPALIVE_PING_SIZE = 16 };

struct keepalive {
    struct duration ping;    /* 0: send none */
    struct duration timeout; /* 0: wait for ever */
    struct instant last_sent;
    struct instant last_received;
};

/* Starts both timers; again whenever the server says other seconds. */
void keepalive_init(struct keepalive *k, struct instant now,
                    uint32_t ping_seconds, uint32_t timeout_seconds);

/* A datagram of any kind left. */
static inline void keepalive_sent(struct keepalive *k, struct instant now)
{
    k->last_sent = now;
}

/* A datagram of any kind came and authenticated. */
static inline void keepalive_received(struct keepalive *k, struct instant now)
{
    k->last_received = now;
}

/* A ping is to be sent now. */
bool keepalive_ping_due(const struct keepalive *k, struct instant now);
/* Nothing was received for too long. */
bool keepalive_timed_out(const struct keepalive *k, struct instant now);
/* When one of the two becomes true. */
struct instant keepalive_deadline(const struct keepalive *k);

/* An inner packet, its framing taken off, that is a ping: not for anyone. */
bool keepalive_is_ping(struct bytes inner);
/* The inner packet to send. */
void keepalive_write_ping(uint8_t out[KEEPALIVE_PING_SIZE]);

#endif
