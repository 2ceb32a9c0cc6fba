/*
 * A shared ring of Xen's network interface, the backend's side, without Xen:
 * it takes the page and gives requests and responses as words
 * (xen/include/public/io/ring.h, io/netif.h). The page belongs to the other
 * end, who may write any of it at any time:
 *
 *   req_prod(4) req_event(4) rsp_prod(4) rsp_event(4) unused(48) slot[256]
 *
 * Indices run freely and wrap at 2^32; a slot's place is its index modulo 256.
 * We write rsp_prod, req_event and the slots we answer in, nothing else. The
 * counts of what we have taken and answered are kept here and never read back
 * from the page. Every word of a slot is read exactly once, into a copy.
 *
 * Memory order: whoever moves a producer index releases what it covers, and
 * who reads the index acquires it. Between publishing an index and reading
 * the other end's event index, and between writing our event index and
 * reading the other end's producer again, a full fence stands, or both ends
 * could sleep over each other's work.
 */
#ifndef LINK_XEN_NETBACK_RING_H
#define LINK_XEN_NETBACK_RING_H

#include <stdatomic.h>

#include "gateway/base/bytes.h"

enum {
    NETBACK_RING_SLOTS = 256, /* of both directions */
    NETBACK_PAGE_SIZE = 4096,
    NETBACK_PAGE_WORDS = NETBACK_PAGE_SIZE / 4,
    NETBACK_SLOT_WORDS_MAX = 3,
    NETBACK_TRANSMIT_WORDS = 3, /* a slot of the ring from the qube */
    NETBACK_RECEIVE_WORDS = 2,  /* of the ring to the qube */
};

/* The index words' places in the page, and that of the first slot. */
enum {
    NETBACK_REQ_PROD,
    NETBACK_REQ_EVENT,
    NETBACK_RSP_PROD,
    NETBACK_RSP_EVENT,
    NETBACK_SLOTS = 16,
};

struct netback_page {
    _Atomic uint32_t word[NETBACK_PAGE_WORDS];
};

struct netback_ring {
    struct netback_page *page;
    uint32_t slot_words;
    uint32_t taken;     /* requests */
    uint32_t answered;  /* responses written */
    uint32_t published; /* responses told of */
};

/* Attaches where the responses end, as on a fresh ring and as on one that an
 * earlier backend served: what that one took and did not answer is there
 * again. False: the indices are impossible. */
MUST_USE bool netback_ring_attach(struct netback_ring *ring,
                                  struct netback_page *page,
                                  uint32_t slot_words);

/* How many requests wait to be taken, at most NETBACK_RING_SLOTS. False: the
 * other end lies about its index, and the ring must not be used again. */
MUST_USE bool netback_ring_waiting(const struct netback_ring *ring,
                                   uint32_t *count);

/* Copies the request `ahead` of the next one; it must be waiting. */
void netback_ring_read(const struct netback_ring *ring, uint32_t ahead,
                       uint32_t words[NETBACK_SLOT_WORDS_MAX]);
void netback_ring_take(struct netback_ring *ring, uint32_t count);

/* Writes the next response, all words of its slot; a request was taken for
 * it. */
void netback_ring_answer(struct netback_ring *ring,
                         const uint32_t words[NETBACK_SLOT_WORDS_MAX]);
/* Shows the other end what was answered. True: it wants to be notified. */
MUST_USE bool netback_ring_publish(struct netback_ring *ring);

/* Asks for an event once `wanted` requests wait. True: the event will come;
 * false: so many wait already, or the index is a lie. */
MUST_USE bool netback_ring_sleep(struct netback_ring *ring, uint32_t wanted);

#endif
