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
    BURST_SEGMENTS_MAX = 64,  /* what one UDP_SEGMENT send may hold */
    BURST_ENDPOINTS_MAX = 64, /* that datagrams may be for */
    BURST_PLACE_SIZE = 2048,  /* of a packet that needs memory of its own */
    BURST_CUT_UNIT = 4,       /* openvpn: fragment.h, FRAG_SIZE_ROUND_MASK */
    BURST_PIECES_MAX = 32,    /* of a packet; the same, 5 bits of FRAG_ID */
};

/*
 * The place of the inner packet in a datagram of a tunnel, and what the tunnel
 * adds. `head` bytes come in front of it. The last `lead` of these belong to
 * the encrypted block when `block` > 1 (CBC with PKCS#7: at least one byte of
 * padding up to a multiple of `block`). `tail` bytes follow; the first `trail`
 * of them lie right behind the inner packet and belong to that block too.
 *
 * With a `limit` the padding is of another kind (WireGuard): zero bytes up to
 * a multiple of `block`, none where it is one already, and never beyond an
 * inner size of `limit`. They lie between inner packet and tail; what seals
 * writes them. `lead` and `trail` are 0 then.
 *
 * Where a tunnel cuts large packets itself, a datagram holds at most `cut`
 * bytes of the packet and of what framing adds to it, which is `extra` bytes
 * of head or tail; all pieces but the last are a multiple of BURST_CUT_UNIT.
 */
struct burst_layout {
    uint16_t head;
    uint16_t lead;
    uint16_t block;
    uint16_t tail;
    uint16_t trail;
    uint16_t limit;
    uint16_t cut; /* 0: every packet is one datagram */
    uint16_t extra;
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
    uint8_t dscp;     /* to be sent: of the outer header, RFC 2474 3 */
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
 * one; NULL when the burst is full or the sealed size exceeds 65535. Where the
 * packet is to be cut, datagrams for its other pieces follow, with an
 * inner_size of 0, and the packet is to be written so that moving each piece
 * to its place, in order, overwrites none that is still to be moved. NULL,
 * too, where it would be more than BURST_PIECES_MAX. */
struct datagram *burst_reserve(struct burst *burst,
                               const struct burst_layout *layout,
                               uint32_t inner_size);

/* How an inner packet is cut: `count` pieces of `size` bytes, the last one of
 * `last`, with what framing added. */
struct burst_pieces {
    uint32_t count;
    uint32_t size;
    uint32_t last;
};
struct burst_pieces burst_pieces_of(const struct burst_layout *layout,
                                    uint32_t inner_size);

/* Memory for a received packet that was not in one piece, BURST_PLACE_SIZE
 * bytes, good until the burst is reset. A burst of views gets room for each of
 * its datagrams when the first one asks. NULL when there is none left. */
uint8_t *burst_place(struct burst *burst);

/* Whether one of its datagrams is. */
bool burst_is_proven(const struct burst *burst);

/* A view of a received datagram that lies elsewhere; false when full. */
MUST_USE bool burst_add_view(struct burst *burst, uint8_t *data, uint16_t size);

#endif
