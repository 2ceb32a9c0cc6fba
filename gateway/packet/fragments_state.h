/* The insides of what is held of fragments, for the files that make it up:
 * whose memory is whose, and who gives way to whom. */
#ifndef PACKET_FRAGMENTS_STATE_H
#define PACKET_FRAGMENTS_STATE_H

#include <assert.h>

#include "gateway/packet/fragments.h"

enum {
    FRAGMENTS_NONE = UINT16_MAX, /* no chunk, no share, no place */
    UNIT = 8,                    /* bytes in which offsets are counted */
    WORD_UNITS = 64,
    CHUNK_WORDS = FRAGMENTS_CHUNK_SIZE / UNIT / WORD_UNITS,
    IPV6_WITH_FRAGMENT = IPV6_HEADER_SIZE + IPV6_FRAGMENT_SIZE,
    /* In front of the first payload byte: the links' room, and the header. */
    FRONT = PACKET_HEADROOM + IPV6_WITH_FRAGMENT,
    PACKET_CHUNKS = (FRONT + PACKET_SIZE_MAX) / FRAGMENTS_CHUNK_SIZE + 1,
};

static_assert(FRONT % UNIT == 0, "units do not cross chunks");
static_assert((int)PACKET_CHUNKS <= (int)PACKET_PIECES_MAX + 1,
              "a whole packet has as many pieces as links take");

struct chunk {
    uint64_t there[CHUNK_WORDS]; /* a bit for each unit */
    uint16_t next; /* in the list of free ones, or of those lent */
};

struct held {
    uint16_t next, previous; /* in its share, the oldest first; or the free */
    bool present;
    bool dead; /* its fragments overlapped: what still comes is refused */
    uint16_t source, share;
    uint8_t family, protocol;
    uint8_t ends[32]; /* source and destination address */
    struct instant deadline;
    uint16_t fragments; /* that came */
    uint16_t largest;   /* of them, as IP packets */
    uint16_t chunk_count;
    uint32_t units; /* that came */
    uint32_t reach; /* payload up to the furthest of them */
    uint32_t end;   /* payload of the whole, or 0 if not known yet */
    uint8_t header[IPV6_WITH_FRAGMENT]; /* the first one's */
    uint8_t header_size;                /* 0: it did not come yet */
    uint16_t chunks[PACKET_CHUNKS];     /* or FRAGMENTS_NONE */
};

struct share {
    uint16_t first, last; /* of its packets */
    uint16_t packets, chunks;
    uint32_t gave_way; /* fragments, not told yet */
};

struct fragments {
    uint8_t *memory;
    uint16_t free; /* chunk */
    uint16_t free_count;
    uint16_t lent; /* chunks of whole packets */
    uint16_t lent_pieces;
    uint16_t count;
    uint16_t free_place; /* in `held` */
    bool some_gave_way;
    struct instant earliest; /* no deadline is before it */
    struct chunk chunks[FRAGMENTS_CHUNKS];
    struct bytes pieces[FRAGMENTS_CHUNKS];
    uint32_t ids[FRAGMENTS_PACKETS]; /* of `held`, close together: each
                                        fragment is looked for in them */
    struct held held[FRAGMENTS_PACKETS];
    uint16_t share_count;
    struct share shares[];
};

/* --- Chunks -------------------------------------------------------------- */

/* The memory of a chunk. */
uint8_t *fragments_state_memory_of(const struct fragments *f, uint16_t chunk);
/* One more for a packet; there is one. */
uint16_t fragments_state_take_chunk(struct fragments *f, struct held *h);
void fragments_state_give_back(struct fragments *f, uint16_t chunk);

/* --- Packets ------------------------------------------------------------- */

/* A new one, the youngest of its share; there is a place for it. */
struct held *fragments_state_add(struct fragments *f, uint16_t share);
/* It has no chunks any more: they are somebody else's from now on. */
void fragments_state_let_go(struct fragments *f, struct held *h);
/* Its chunks are free. */
void fragments_state_clear(struct fragments *f, struct held *h);
void fragments_state_end(struct fragments *f, struct held *h);

/* --- Shares -------------------------------------------------------------- */

/* For one more packet of a share. */
void fragments_state_make_room_for_packet(struct fragments *f, uint16_t share);
/* For chunks of a packet. False: there is nobody left who could make it. */
MUST_USE bool fragments_state_make_room(struct fragments *f,
                                        const struct held *h, uint32_t chunks);
/* The first fragment has come, and it is for somebody else. */
void fragments_state_move(struct fragments *f, struct held *h, uint16_t share);

#endif
