/*
 * A circle of records, header and bytes. One that would not fit before the
 * memory's end begins at its start; a header without bytes says so.
 */
#include "gateway/link/frame_queue.h"

#include <assert.h>
#include <stdlib.h>

enum { ALIGNMENT = 64, HEADER_SIZE = 64 };

static_assert(sizeof(struct queued_frame) <= HEADER_SIZE, "a header fits");

bool frame_queue_init(struct frame_queue *queue, uint32_t capacity)
{
    assert(capacity % ALIGNMENT == 0);
    *queue = (struct frame_queue){
        .memory = aligned_alloc(ALIGNMENT, capacity),
        .capacity = capacity,
    };
    return queue->memory != NULL;
}

void frame_queue_clear(struct frame_queue *queue)
{
    free(queue->memory);
    *queue = (struct frame_queue){0};
}

static uint32_t space_of(uint32_t size)
{
    return HEADER_SIZE + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void write_header(struct frame_queue *queue, uint32_t at,
                         const struct queued_frame *frame)
{
    memcpy(queue->memory + at, frame, sizeof *frame);
}

static struct queued_frame read_header(const struct frame_queue *queue,
                                       uint32_t at)
{
    struct queued_frame frame;
    memcpy(&frame, queue->memory + at, sizeof frame);
    return frame;
}

/* The place for `space` bytes in one piece, or `capacity` if there is none. */
static uint32_t find_room(const struct frame_queue *queue, uint32_t space)
{
    bool behind = queue->count == 0 || queue->end > queue->first;
    uint32_t limit = behind ? queue->capacity : queue->first;
    if (queue->count == 0)
        return space <= queue->capacity ? 0 : queue->capacity;
    if (space <= limit - queue->end)
        return queue->end;
    if (behind && space <= queue->first)
        return 0;
    return queue->capacity;
}

uint8_t *frame_queue_add(struct frame_queue *queue,
                         const struct queued_frame *frame)
{
    static const struct queued_frame turn = {.size = 0};
    assert(frame->size > 0);
    if (frame->size > queue->capacity)
        return NULL;
    uint32_t at = find_room(queue, space_of(frame->size));
    if (at == queue->capacity)
        return NULL;
    if (queue->count == 0)
        queue->first = at;
    else if (at != queue->end && queue->end < queue->capacity)
        write_header(queue, queue->end, &turn);
    write_header(queue, at, frame);
    queue->end = at + space_of(frame->size);
    queue->count++;
    return queue->memory + at + HEADER_SIZE;
}

bool frame_queue_first(const struct frame_queue *queue,
                       struct queued_frame *frame, uint8_t **bytes)
{
    if (queue->count == 0)
        return false;
    *frame = read_header(queue, queue->first);
    *bytes = queue->memory + queue->first + HEADER_SIZE;
    return true;
}

void frame_queue_remove(struct frame_queue *queue)
{
    assert(queue->count > 0);
    struct queued_frame frame = read_header(queue, queue->first);
    queue->first += space_of(frame.size);
    queue->count--;
    if (queue->count == 0)
        return;
    if (queue->first == queue->capacity ||
        read_header(queue, queue->first).size == 0)
        queue->first = 0;
}
