/*
 * Datagrams of the tunnel, back to back in memory: the shape in which
 * UDP_SEGMENT sends and UDP_GRO receives them.
 *
 * Going out, packet/segment reserves each datagram at its sealed size and
 * writes the IP packet at `inner_offset`; client_seal() encrypts in place.
 * Coming in, the uplink adds views of what it received and client_open()
 * sets `inner_offset` and `inner_size` to the IP packet found inside, or
 * `drop`, or leaves inner_size 0 for what was not a packet (control, ping).
 */
#ifndef PACKET_BURST_H
#define PACKET_BURST_H

#include "gateway/base/address.h"
#include "gateway/base/bytes.h"
#include "gateway/base/drop.h"

enum {
    BURST_DATAGRAMS_MAX = 512,
    BURST_SEGMENTS_MAX = 64, /* what one UDP_SEGMENT send may hold */
};

/*
 * Where a tunnel wants the inner packet in a datagram, and what it adds.
 * `head` bytes come in front of it. Of these the last `lead` belong to the
 * encrypted block when `block` > 1 (CBC with PKCS#7: at least one byte of
 * padding up to a multiple of `block`). `tail` bytes follow; the first `trail`
 * of them lie right behind the inner packet and belong to that block too.
 *
 * With a `limit` the padding is of another kind (WireGuard): zero bytes up to
 * a multiple of `block`, none where it is one already, and never beyond an
 * inner size of `limit`. They lie between inner packet and tail; what seals
 * writes them. `lead` and `trail` are 0 then.
 */
struct burst_layout {
    uint16_t head;
    uint16_t lead;
    uint16_t block;
    uint16_t tail;
    uint16_t trail;
    uint16_t limit;
};

struct datagram {
    uint8_t *data;
    uint16_t size;
    uint16_t inner_offset;
    uint16_t inner_size;
    uint8_t drop;     /* enum drop; DROP_NONE while it lives */
    bool proven;      /* received, and nobody but the peer can have made it */
    uint8_t endpoint; /* to be sent: which one to (vpn/protocol.h) */
    uint8_t ecn;      /* of the outer header, RFC 3168 5 */
};

struct burst {
    uint8_t *memory; /* NULL for views only */
    uint32_t used;
    uint32_t capacity;
    uint16_t count;
    struct endpoint source; /* of all that was received; family NONE: the one
                               that the uplink is connected to */
    struct datagram datagrams[BURST_DATAGRAMS_MAX];
};

MUST_USE bool burst_init(struct burst *burst, uint32_t capacity);
void burst_clear(struct burst *burst);

static inline void burst_reset(struct burst *burst)
{
    burst->used = 0;
    burst->count = 0;
}

/* `inner_size` with the zero bytes behind it. */
static inline uint32_t burst_padded_size(const struct burst_layout *layout,
                                         uint32_t inner_size)
{
    if (inner_size >= layout->limit)
        return inner_size;
    uint32_t over = inner_size % layout->block;
    uint32_t padded = over ? inner_size + layout->block - over : inner_size;
    return padded < layout->limit ? padded : layout->limit;
}

/* Bytes on the wire of an inner packet of `inner_size`. */
static inline uint32_t burst_sealed_size(const struct burst_layout *layout,
                                         uint32_t inner_size)
{
    uint32_t body = inner_size;
    if (layout->limit) {
        body = burst_padded_size(layout, inner_size);
    } else if (layout->block > 1) {
        uint32_t more = (uint32_t)layout->lead + layout->trail;
        uint32_t chained = inner_size + more;
        body = chained + layout->block - chained % layout->block - more;
    }
    return layout->head + body + layout->tail;
}

/* The largest inner packet whose datagram is at most `sealed_size` bytes. */
uint32_t burst_inner_size(const struct burst_layout *layout,
                          uint32_t sealed_size);

/* A datagram for an inner packet of `inner_size` bytes right behind the last
 * one; NULL when the burst is full or the sealed size exceeds 65535. */
struct datagram *burst_reserve(struct burst *burst,
                               const struct burst_layout *layout,
                               uint32_t inner_size);

/* A view of a received datagram that lies elsewhere; false when full. */
MUST_USE bool burst_add_view(struct burst *burst, uint8_t *data, uint16_t size);

#endif
