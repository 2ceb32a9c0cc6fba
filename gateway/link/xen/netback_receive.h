/*
 * The ring to the qube ("receive" as the qube sees it): the qube posts pages,
 * and frames are copied into them by the hypervisor.
 *
 *   request  := id(2) unused(2) reference(4)
 *   response := id(2) offset(2) flags(2) status(2): bytes in the page, or an
 *               error below zero
 *   extra    := type(1) flags(1) payload(6)
 *
 *   frame    := response [extra] [response...]
 *
 * Each request is answered in its own slot, the extra's too, whose page stays
 * unused. A frame starts only when pages for all of it are there. A frame that
 * finds none waits in a queue bounded by bytes, for a time; nobody ever waits
 * for a qube.
 */
#ifndef LINK_XEN_NETBACK_RECEIVE_H
#define LINK_XEN_NETBACK_RECEIVE_H

#include "gateway/base/drop.h"
#include "gateway/link/ethernet.h"
#include "gateway/link/frame_queue.h"
#include "gateway/link/xen/netback_transmit.h"
#include "gateway/packet/packet.h"

enum {
    NETBACK_QUEUE_BYTES = 512 * 1024,
    NETBACK_QUEUE_MS = 2000, /* what waited longer nobody wants any more */
};

/* Flags of responses. */
enum {
    NETBACK_RESPONSE_VALIDATED = 1,
    NETBACK_RESPONSE_BLANK = 2,
    NETBACK_RESPONSE_MORE = 4,
    NETBACK_RESPONSE_EXTRA = 8,
};

/* The frontend's abilities, as it says. */
struct netback_accepts {
    bool scatter; /* a frame in several pages */
    bool gso_ipv4, gso_ipv6;
    bool checksum_ipv4, checksum_ipv6; /* may be blank */
};

/* Shared by the vifs of a link, used by one at a time. */
struct netback_receive_batch {
    uint8_t *memory; /* where frames in pieces are put together */
    size_t used;
    uint16_t answer_count, copy_count;
    uint32_t answers[NETBACK_RING_SLOTS][NETBACK_RECEIVE_WORDS];
    struct grant_copy copies[GRANT_COPIES_MAX];
    uint16_t answer_of_copy[GRANT_COPIES_MAX];
};

MUST_USE bool netback_receive_batch_init(struct netback_receive_batch *batch);
void netback_receive_batch_clear(struct netback_receive_batch *batch);

struct netback_receive {
    struct netback_ring ring;
    struct netback_peer peer;
    struct netback_accepts accepts;
    struct netback_receive_batch *batch;
    struct frame_queue queue;
    uint64_t expired; /* frames that waited in vain */
};

/* Attaches to the ring. `batch` is borrowed. False: its indices are
 * impossible, or memory is short. */
MUST_USE bool netback_receive_init(struct netback_receive *r,
                                   struct netback_page *page,
                                   const struct netback_peer *peer,
                                   const struct netback_accepts *accepts,
                                   struct netback_receive_batch *batch);
void netback_receive_clear(struct netback_receive *r);

/*
 * Puts the packet, behind an Ethernet header, into the qube's pages or into
 * the queue. It is borrowed until netback_receive_flush(), and the header
 * written into its headroom where that is large enough. `lies` is set when
 * the ring must not be used again.
 */
enum drop netback_receive_send(struct netback_receive *r, struct instant now,
                               struct packet *packet,
                               const struct ethernet_header *header,
                               bool *lies);
/* Could netback_receive_send() send it, or did the frontend say that it takes
 * no such packet? */
bool netback_receive_takes(const struct netback_receive *r,
                           const struct packet *packet);
/* Copies what was sent and tells the qube. */
void netback_receive_flush(struct netback_receive *r);

/* The same for an answer of the link's own, a frame of at most a page. */
enum drop netback_receive_answer(struct netback_receive *r, struct instant now,
                                 struct bytes frame, bool *lies);

/* Puts what waits into pages that came meanwhile, tells the qube, and asks
 * for an event where something waits still. False: the ring lies. */
MUST_USE bool netback_receive_drain(struct netback_receive *r,
                                    struct instant now);

/* Whether frames wait. */
static inline bool netback_receive_waits(const struct netback_receive *r)
{
    return r->queue.count > 0;
}

#endif
