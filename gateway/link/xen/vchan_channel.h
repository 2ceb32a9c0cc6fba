/*
 * One end of a vchan in the event loop, with records (record.h) going both
 * ways. As libxenvchan has it, the qube is the server, whose memory the rings
 * are, and the gateway is the client:
 *
 *   server:  offered ──a client comes──▶ open ──▶ lost
 *   client:                   connected: open ──▶ lost
 *
 * Bytes that wait for the peer to make room are bounded, and so is what one
 * turn reads, so that no peer can hold up the loop. libxenvchan reads each
 * index of the shared page once and bounds it by its own copy of the ring's
 * size, and copies data out before they are looked at. An end that is lost is
 * closed by its owner, which may open another.
 */
#ifndef LINK_XEN_VCHAN_CHANNEL_H
#define LINK_XEN_VCHAN_CHANNEL_H

#include "gateway/event/loop.h"
#include "gateway/link/xen/vchan_framing.h"

enum {
    /* libxenvchan builds "PLACE/event-channel" in 64 bytes. */
    VCHAN_CHANNEL_PLACE_SIZE = 64 - (int)sizeof "/event-channel" + 1,
    VCHAN_CHANNEL_RING_SIZE = 256 * 1024, /* each way */
};

/* The channel's calls to its owner, from inside the loop only. None of these
 * but `settled` and `lost` may close it. */
struct vchan_channel_owner {
    void *context;
    /* The peer is there and has said what it takes. */
    void (*greeted)(void *context, struct instant now, bool takes_udp_gso);
    /* The memory for the next record's body: VCHAN_FRAMING_BODY_MAX bytes that
     * stay the same until it is whole. NULL: no more in this turn. */
    uint8_t *(*room)(void *context);
    void (*record)(void *context, struct instant now, size_t size);
    /* The turn's last record was told. */
    void (*settled)(void *context, struct instant now);
    /* There is room again, as awaited. */
    void (*writable)(void *context, struct instant now);
    /* To be closed, here and now. */
    void (*lost)(void *context, struct instant now, const char *why);
};

struct vchan_channel; /* heap */

/* Offers a vchan to a domain at `place`, a path in our own part of xenstore. */
struct vchan_channel *
vchan_channel_offer(uint32_t domain, const char *place, bool takes_udp_gso,
                    struct loop *loop, const struct vchan_channel_owner *owner);
/* Connects to the one that a domain offers at `place`, a whole path. Both:
 * NULL when that cannot be now. `owner` is copied. */
struct vchan_channel *
vchan_channel_connect(uint32_t domain, const char *place, bool takes_udp_gso,
                      struct loop *loop,
                      const struct vchan_channel_owner *owner);
void vchan_channel_close(struct vchan_channel *c);

/* A record with this body, in parts, is queued; false when there is no room.
 * Sent by vchan_channel_flush(), to be called once behind a batch of them. */
MUST_USE bool vchan_channel_queue(struct vchan_channel *c,
                                  const struct bytes *parts, size_t count);
void vchan_channel_flush(struct vchan_channel *c);

/* The largest record would not fit. */
bool vchan_channel_is_full(const struct vchan_channel *c);
/* writable() is to be called when it does. */
void vchan_channel_await_room(struct vchan_channel *c);

/* A record's body has come in part. */
bool vchan_channel_in_record(const struct vchan_channel *c);

#endif
