/*
 * Memory that qubes grant us, through libxengnttab: ring pages are mapped,
 * packets are copied by the hypervisor, many pieces a call.
 *
 * The kernel stops in the middle of a call at the first piece that is wrong
 * by itself, and what it did not do looks done. So every piece is right
 * before it gets there, one call has one direction, and where the call fails
 * every piece of it has.
 */
#ifndef LINK_XEN_GRANT_H
#define LINK_XEN_GRANT_H

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"

enum {
    GRANT_PAGE_SIZE = 4096,
    GRANT_COPIES_MAX = 256, /* of a call */
};

enum grant_direction { GRANT_FROM_QUBE, GRANT_TO_QUBE };

/* 1 to GRANT_PAGE_SIZE bytes, which end within the granted page. */
struct grant_copy {
    uint8_t *local; /* only read when copying to the qube */
    uint32_t reference;
    uint16_t offset;
    uint16_t size;
    int16_t status; /* set by the call; 0: done */
};

struct grant; /* heap */

/* NULL and *error on failure; the log says what. */
struct grant *grant_open(enum error *error);
void grant_close(struct grant *g);

/* One page of the domain's memory, shared with it, or NULL. */
void *grant_map(struct grant *g, uint32_t domain, uint32_t reference);
void grant_unmap(struct grant *g, void *page);

/* Sets every copy's status. */
void grant_copy(struct grant *g, uint32_t domain,
                enum grant_direction direction, struct grant_copy *copies,
                size_t count);

#endif
