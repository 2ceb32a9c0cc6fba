/*
 * Frames that wait for a qube to make room for them: first in, first out,
 * bounded by bytes, in memory that is allocated once. Each lies in one piece.
 */
#ifndef LINK_FRAME_QUEUE_H
#define LINK_FRAME_QUEUE_H

#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

struct frame_queue {
    uint8_t *memory;
    uint32_t capacity;
    uint32_t first; /* bytes into memory */
    uint32_t end;   /* where the next one goes */
    uint32_t count;
};

struct queued_frame {
    struct instant since;
    uint32_t size;
    uint16_t gso_size;
    uint8_t gso;   /* the owner's */
    uint8_t flags; /* the owner's */
};

/* False when memory is short. Pages are used only once frames wait. */
MUST_USE bool frame_queue_init(struct frame_queue *queue, uint32_t capacity);
void frame_queue_clear(struct frame_queue *queue);

/* Room for a frame of frame->size bytes that the caller fills; NULL when the
 * queue is full. */
uint8_t *frame_queue_add(struct frame_queue *queue,
                         const struct queued_frame *frame);

/* The first frame and its bytes, which stay where they are until something
 * is added after it was removed; false when none waits. */
MUST_USE bool frame_queue_first(const struct frame_queue *queue,
                                struct queued_frame *frame, uint8_t **bytes);
void frame_queue_remove(struct frame_queue *queue);

#endif
