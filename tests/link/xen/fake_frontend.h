/*
 * A qube's end of a vif, honest or not: two rings and pages to grant, in
 * plain memory, and the hypervisor's copy between them and the backend. It
 * says what its caller tells it to say and believes nothing.
 */
#ifndef TESTS_LINK_XEN_FAKE_FRONTEND_H
#define TESTS_LINK_XEN_FAKE_FRONTEND_H

#include "gateway/link/xen/netback_receive.h"
#include "gateway/link/xen/netback_transmit.h"

enum { FAKE_PAGES = 1024 };

struct fake_end {
    struct netback_page *page;
    uint32_t slot_words;
    uint32_t produced; /* requests, published or not */
    uint32_t consumed; /* responses */
};

struct fake_frontend {
    struct fake_end transmit, receive;
    uint8_t *memory;          /* granted pages; the reference is the index */
    bool refused[FAKE_PAGES]; /* not granted after all */
    bool copying_fails;       /* the whole call */
    uint16_t gso_size;        /* of frames with an extra */
    uint8_t gso_type;
    _Atomic uint32_t notified; /* by the backend */
    uint64_t copies;           /* made in all */
    uint32_t copy_calls;
    /* Called before each copy, by a frontend that scribbles. */
    void (*before_copy)(struct fake_frontend *f);
};

/* Rings as a frontend initialises them, both ends at index `start`. Aborts
 * when memory is short. */
struct fake_frontend *fake_frontend_new(uint32_t start);
void fake_frontend_free(struct fake_frontend *f);
/* As new, but for what lies in its pages. */
void fake_frontend_reset(struct fake_frontend *f, uint32_t start);

struct netback_peer fake_frontend_peer(struct fake_frontend *f);
uint8_t *fake_frontend_page(struct fake_frontend *f, uint32_t reference);

/* One page of memory as a hypervisor copies it; tests of netback use it with
 * a domain's own frontend. */
void fake_frontend_copy(struct fake_frontend *f, enum grant_direction direction,
                        struct grant_copy *copies, size_t count);

/* The slot's words go into the ring, unpublished. */
void fake_put(struct fake_end *end, const uint32_t *words);
void fake_put_request(struct fake_frontend *f, uint32_t reference,
                      uint16_t offset, uint16_t flags, uint16_t id,
                      uint16_t size);
void fake_put_extra(struct fake_frontend *f, uint8_t type, uint8_t flags,
                    uint16_t gso_size, uint8_t gso_type);
void fake_put_page(struct fake_frontend *f, uint16_t id, uint32_t reference);

/* True: the backend wants to be notified. */
bool fake_publish(struct fake_end *end);

/* The next response's words; false: there is none. */
bool fake_take(struct fake_end *end, uint32_t *words);
/* Asks for a notification of the next response; false: one is there. */
bool fake_sleep(struct fake_end *end);

/* A whole frame of `size` bytes, spread over pages from `reference` on, each
 * piece at most `piece` bytes, and an extra where `flags` say so. Its first
 * id is `id`. Returns the pages used. */
uint32_t fake_put_frame(struct fake_frontend *f, const uint8_t *bytes,
                        uint32_t size, uint32_t piece, uint32_t reference,
                        uint16_t id, uint16_t flags);

/* A frame the backend sent, put together from its responses. */
struct fake_frame {
    uint32_t size;
    uint16_t flags; /* of the first response */
    uint16_t gso_size;
    uint8_t gso_type;
    bool failed; /* a response has an error */
    uint8_t bytes[70000];
};

/* Takes a whole frame, whose pages were posted with id = reference; false:
 * there is none yet. Aborts where the responses are no frame. */
bool fake_take_frame(struct fake_frontend *f, struct fake_frame *frame);

#endif
