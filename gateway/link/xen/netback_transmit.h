/*
 * The ring from the qube ("transmit" as the qube sees it): chains of slots
 * become frames in our memory, copied by the hypervisor, a batch at a time.
 *
 *   request  := reference(4) offset(2) flags(2) id(2) size(2)
 *   extra    := type(1) flags(1) payload(6) unused(4)
 *   response := id(2) status(2) zero(8)
 *
 *   frame    := request [extra...] [request...]
 *
 * The first request's size is that of the frame, the others' their own. Extras
 * are there where the first says so, further requests as long as each says that
 * more follow. Every slot is answered, in order; extras with "no response".
 * Errors are told apart as Linux's netback.c does: what an honest frontend
 * never does is fatal to the vif, what it may do is an error of that frame.
 */
#ifndef LINK_XEN_NETBACK_TRANSMIT_H
#define LINK_XEN_NETBACK_TRANSMIT_H

#include "gateway/link/offload.h"
#include "gateway/link/xen/grant.h"
#include "gateway/link/xen/netback_ring.h"

enum {
    NETBACK_FRAMES_MAX = 64,
    /* Behind the first request: those that are served, and those that are
     * answered with an error; more are fatal. */
    NETBACK_MORE_SLOTS_MAX = 18,
    NETBACK_MORE_SLOTS_FATAL = 20,
    NETBACK_FRAME_SIZE_MAX = 65535, /* what a slot's size field holds */
};

/* Flags of requests and extras, types of extras, statuses. */
enum {
    NETBACK_CHECKSUM_BLANK = 1,
    NETBACK_DATA_VALIDATED = 2,
    NETBACK_MORE_DATA = 4,
    NETBACK_EXTRA_INFO = 8,
    NETBACK_EXTRA_MORE = 1,
    NETBACK_EXTRA_GSO = 1,
    NETBACK_EXTRA_MULTICAST_ADD = 2,
    NETBACK_EXTRA_MULTICAST_DELETE = 3,
    NETBACK_EXTRA_HASH = 4,
    NETBACK_EXTRA_XDP = 5,
    NETBACK_GSO_TCP_IPV4 = 1,
    NETBACK_GSO_TCP_IPV6 = 2,
    NETBACK_STATUS_OKAY = 0,
    NETBACK_STATUS_ERROR = -1,
    NETBACK_STATUS_NULL = 1,
};

/* One end of a vif, as its rings see it. */
struct netback_peer {
    void *context;
    /* Sets every copy's status. */
    void (*copy)(void *context, enum grant_direction direction,
                 struct grant_copy *copies, size_t count);
    void (*notify)(void *context);
};

struct netback_frame {
    uint8_t *data; /* the Ethernet header; PACKET_HEADROOM bytes before what
                      follows it are free to use */
    uint16_t size;
    uint16_t gso_size;
    uint8_t gso; /* enum offload_gso */
    bool checksum_blank;
    bool failed; /* some of it could not be copied */
};

struct netback_answer {
    uint16_t id;
    int16_t status;
};

/* Shared by the vifs of a link, used by one at a time. */
struct netback_transmit_batch {
    uint8_t *memory;
    size_t used;
    uint32_t cost; /* of the frames, for fairness: see netback_transmit() */
    uint16_t frame_count, answer_count, copy_count;
    struct netback_frame frames[NETBACK_FRAMES_MAX];
    struct netback_answer answers[NETBACK_RING_SLOTS];
    struct grant_copy copies[GRANT_COPIES_MAX];
    uint16_t answer_of_copy[GRANT_COPIES_MAX];
    uint16_t frame_of_copy[GRANT_COPIES_MAX];
};

MUST_USE bool netback_transmit_batch_init(struct netback_transmit_batch *batch);
void netback_transmit_batch_clear(struct netback_transmit_batch *batch);

/*
 * Takes frames until the batch is full, nothing waits, or they cost `budget`
 * or more; has them copied, and answers. A frame costs its bytes and 512 for
 * each packet it will be cut into. Frames that broke a rule are counted in
 * *malformed and not in the batch. NULL, or why the vif is to be closed: then
 * the batch is empty and nothing was answered.
 */
MUST_USE const char *netback_transmit(struct netback_ring *ring,
                                      const struct netback_peer *peer,
                                      struct netback_transmit_batch *batch,
                                      uint32_t budget, uint64_t *malformed);

#endif
