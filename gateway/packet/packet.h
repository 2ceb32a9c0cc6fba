/*
 * IP packets on their way through the gateway.
 *
 * A packet may be a super-packet: one TCP or UDP packet of up to 64 KiB that
 * stands for many of `gso_size` payload bytes each, cut only where it leaves
 * for the tunnel (packet/segment) and joined where it comes from there
 * (packet/coalesce). Its bytes are at `data` and then, for joined packets,
 * `pieces` borrowed from the buffers they were received in.
 *
 * Packets travel in batches. A batch owns one buffer a packet, allocated
 * once, each with PACKET_HEADROOM writable bytes in front: enough for the
 * Ethernet and virtio headers that a link puts there.
 */
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H

#include "gateway/packet/ip_header.h"

enum {
    PACKET_SIZE_MAX = 65535, /* an IPv4 total length */
    PACKET_QUBE_MTU = 1500,  /* of the network card that a qube has */
    PACKET_HEADROOM = 64,    /* a cache line; 10 virtio + 14 Ethernet fit */
    PACKET_BUFFER_SIZE = PACKET_HEADROOM + 65536 + 64,
    PACKET_PIECES_MAX = 64, /* as many as a UDP_GRO train holds */
};

struct qube;

enum packet_gso { PACKET_GSO_NONE, PACKET_GSO_TCP, PACKET_GSO_UDP };

/*
 * NONE: the TCP or UDP checksum stands in the packet, nobody has checked it.
 * PARTIAL: its field holds the folded, uncomplemented sum of the
 * pseudo-header (virtio NEEDS_CSUM, netif csum_blank); a super-packet is
 * always PARTIAL. VALID: it stands there and was checked.
 */
enum packet_checksum {
    PACKET_CHECKSUM_NONE,
    PACKET_CHECKSUM_PARTIAL,
    PACKET_CHECKSUM_VALID
};

struct packet {
    uint8_t *data; /* first byte of the IP header; writable */
    uint32_t size; /* bytes at `data` */
    uint32_t piece_bytes;
    const struct bytes *pieces; /* what follows `data`, in order */
    struct qube *qube;          /* that it comes from or goes to; NULL: none */
    uint16_t piece_count;
    uint16_t headroom; /* writable bytes in front of `data` */
    uint16_t gso_size; /* payload bytes of each segment, last may be less */
    uint16_t fragment_size; /* it came in fragments, the largest of them this
                               size, and may leave so; else 0 */
    uint8_t gso;            /* enum packet_gso */
    uint8_t checksum;       /* enum packet_checksum */
    uint8_t drop;           /* enum drop; DROP_NONE while it lives */
    struct ip_packet ip;    /* its headers; `data` NULL: not parsed yet */
};

struct packet_batch {
    struct packet *packets;
    uint16_t count;
    uint16_t capacity;
    uint8_t *memory; /* capacity * buffer_size, NULL for views only */
    uint32_t buffer_size;
};

/* `buffer_size` 0 makes a batch of views whose data lie elsewhere. Aborts
 * nothing: false when memory is short. */
MUST_USE bool packet_batch_init(struct packet_batch *batch, uint16_t capacity,
                                uint32_t buffer_size);
void packet_batch_clear(struct packet_batch *batch);

/* The next packet, empty, `data` at PACKET_HEADROOM in its own buffer; NULL
 * when the batch is full. */
struct packet *packet_batch_add(struct packet_batch *batch);

static inline void packet_batch_reset(struct packet_batch *batch)
{
    batch->count = 0;
}

/* Bytes of the whole packet. */
static inline uint32_t packet_total(const struct packet *p)
{
    return p->size + p->piece_bytes;
}

/* Bytes of the largest IP packet that a parsed one stands for. */
static inline uint32_t packet_largest_segment(const struct packet *p)
{
    uint32_t segment = (uint32_t)p->ip.payload + p->gso_size;
    return p->gso != PACKET_GSO_NONE && segment < p->ip.total ? segment
                                                              : p->ip.total;
}

#endif
