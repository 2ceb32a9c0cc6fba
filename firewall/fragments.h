/*
 * Fragments, held until their packet is whole: rules, ports and checksums are
 * a whole packet's. Memory is one block at start; each source has its share,
 * and where it is used up its own oldest packet goes.
 *
 * Fragments that overlap end their packet (RFC 5722, and for IPv4 too),
 * except for exact copies, which the network makes. The first one must hold
 * the transport header, ip_packet_parse() sees to that.
 *
 * A whole packet consists of pieces of that memory; fragments_release() takes
 * it back. An IPv6 one keeps its Fragment header, with nothing before and
 * nothing behind it, so that it can be cut again.
 */
#ifndef FIREWALL_FRAGMENTS_H
#define FIREWALL_FRAGMENTS_H

#include "firewall/ip_packet.h"
#include "gateway/base/instant.h"

enum {
    FRAGMENTS_CHUNK_SIZE = 2048,
    FRAGMENTS_CHUNKS = 2048, /* 4 MiB, touched only when used */
    FRAGMENTS_PACKETS = 128, /* incomplete ones at a time */
    FRAGMENTS_PER_PACKET = 64,
    /* Of one source: */
    FRAGMENTS_SOURCE_CHUNKS = 256,
    FRAGMENTS_SOURCE_PACKETS = 32,
    /* Seconds from the first to the last (RFC 791 3.2, RFC 8200 4.5). */
    FRAGMENTS_IPV4_TIMEOUT = 15,
    FRAGMENTS_IPV6_TIMEOUT = 60,
};

struct fragments;

/* NULL when memory is short. */
struct fragments *fragments_new(void);
void fragments_free(struct fragments *f);

enum fragments_result {
    FRAGMENTS_HELD,    /* copied; the packet is not whole yet */
    FRAGMENTS_WHOLE,   /* *packet is the whole one, to be parsed anew */
    FRAGMENTS_REFUSED, /* malformed, overlapping, too many */
};

/* Takes a fragment of `source` (a qube, or another number for the tunnel). */
enum fragments_result fragments_take(struct fragments *f, struct instant now,
                                     uint16_t source, struct packet *packet,
                                     const struct ip_packet *ip);

/* Takes back what whole packets consist of. */
void fragments_release(struct fragments *f);

/* A packet whose time is over: its source, and how many fragments are lost.
 * To be called until it says false. */
MUST_USE bool fragments_expired(struct fragments *f, struct instant now,
                                uint16_t *source, uint16_t *lost);
struct instant fragments_deadline(const struct fragments *f);

/* The source is gone. */
void fragments_forget(struct fragments *f, uint16_t source);

#endif
