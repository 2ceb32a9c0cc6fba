/*
 * Fragments, held until their packet is whole: rules, ports and checksums are
 * a whole packet's. Memory is one block at start.
 *
 * A packet's payload lies in chunks, at its offset, however small its
 * fragments are, and a bit for each eight bytes says that they came.
 * Fragments that overlap end their packet (RFC 5722, and for IPv4 too),
 * except for exact copies, which the network makes. The first one must hold
 * the transport header, ip_packet_parse() sees to that.
 *
 * Each held fragment counts to a share, which has limits of its own. When one
 * is used up, the ends (source and destination) that hold most of it lose
 * their oldest packet; where the whole memory is, the share that holds most
 * does. So a flood of fragments pushes out its own, and what others wait for
 * stays:
 *
 *   by packet     FRAGMENTS_PER_PACKET fragments, 64 KiB, a time in seconds
 *   by share      FRAGMENTS_SHARE_PACKETS packets, FRAGMENTS_SHARE_CHUNKS
 *   by its ends   an equal part of their share, as long as they use it
 *   all together  FRAGMENTS_PACKETS packets, FRAGMENTS_CHUNKS
 *
 * A whole packet consists of pieces of that memory; fragments_release() takes
 * it back. An IPv6 one keeps its Fragment header, with nothing before and
 * nothing behind it, so that it can be cut again.
 */
#ifndef PACKET_FRAGMENTS_H
#define PACKET_FRAGMENTS_H

#include "gateway/base/instant.h"
#include "gateway/packet/packet.h"

enum {
    FRAGMENTS_CHUNK_SIZE = 2048,
    FRAGMENTS_CHUNKS = 2048, /* 4 MiB, touched only when used */
    FRAGMENTS_PACKETS = 256, /* incomplete ones at a time */
    /* 64 KiB at an MTU of 296 bytes, the least there is (RFC 1191 7). */
    FRAGMENTS_PER_PACKET = 256,
    FRAGMENTS_SHARE_CHUNKS = 256, /* seven packets of 64 KiB */
    FRAGMENTS_SHARE_PACKETS = 32,
    /* Seconds from the first to the last (RFC 791 3.2, RFC 8200 4.5). */
    FRAGMENTS_IPV4_TIMEOUT = 15,
    FRAGMENTS_IPV6_TIMEOUT = 60,
};

struct fragments;

/* For so many shares. NULL when memory is short. */
struct fragments *fragments_new(uint16_t shares);
void fragments_free(struct fragments *f);

enum fragments_result {
    FRAGMENTS_HELD,    /* copied; the packet is not whole yet */
    FRAGMENTS_WHOLE,   /* *packet is the whole one, to be parsed anew */
    FRAGMENTS_REFUSED, /* malformed, overlapping, too many */
};

/* The owner of a fragment. Its packet stays in the share that its first
 * fragment came for, because only that one tells for whom it is. */
struct fragments_owner {
    uint16_t source; /* a qube, or another number for the tunnel */
    uint16_t share;
};

enum fragments_result fragments_take(struct fragments *f, struct instant now,
                                     const struct fragments_owner *owner,
                                     struct packet *packet);

/* Takes back what whole packets consist of. */
void fragments_release(struct fragments *f);

/* Fragments that were held in vain. */
struct fragments_loss {
    uint16_t share;
    uint32_t count;
    enum drop reason; /* their time was over, or they gave way to others */
};

/* To be called until it says false. */
MUST_USE bool fragments_lost(struct fragments *f, struct instant now,
                             struct fragments_loss *out);
struct instant fragments_deadline(const struct fragments *f);

/* Nobody has that share any more. */
void fragments_forget(struct fragments *f, uint16_t share);

#endif
