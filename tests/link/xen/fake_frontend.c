#include "tests/link/xen/fake_frontend.h"

#include <assert.h>
#include <stdlib.h>

static struct netback_page *new_page(void)
{
    struct netback_page *page = aligned_alloc(NETBACK_PAGE_SIZE, sizeof *page);
    assert(page);
    return page;
}

static void reset_end(struct fake_end *end, struct netback_page *page,
                      uint32_t slot_words, uint32_t start)
{
    *end = (struct fake_end){page, slot_words, start, start};
    memset((void *)page, 0, sizeof *page);
    page->word[NETBACK_REQ_PROD] = page->word[NETBACK_RSP_PROD] = start;
    page->word[NETBACK_REQ_EVENT] = page->word[NETBACK_RSP_EVENT] = start + 1;
}

void fake_frontend_reset(struct fake_frontend *f, uint32_t start)
{
    struct netback_page *transmit = f->transmit.page;
    struct netback_page *receive = f->receive.page;
    uint8_t *memory = f->memory;
    *f = (struct fake_frontend){.memory = memory};
    reset_end(&f->transmit, transmit, NETBACK_TRANSMIT_WORDS, start);
    reset_end(&f->receive, receive, NETBACK_RECEIVE_WORDS, start);
}

struct fake_frontend *fake_frontend_new(uint32_t start)
{
    struct fake_frontend *f = calloc(1, sizeof *f);
    assert(f);
    f->transmit.page = new_page();
    f->receive.page = new_page();
    /* Zeroed lazily: most tests touch a few pages. */
    f->memory = calloc(FAKE_PAGES, NETBACK_PAGE_SIZE);
    assert(f->memory);
    fake_frontend_reset(f, start);
    return f;
}

void fake_frontend_free(struct fake_frontend *f)
{
    free(f->transmit.page);
    free(f->receive.page);
    free(f->memory);
    free(f);
}

uint8_t *fake_frontend_page(struct fake_frontend *f, uint32_t reference)
{
    assert(reference < FAKE_PAGES);
    return f->memory + (size_t)reference * NETBACK_PAGE_SIZE;
}

/* The hypervisor's answer. */
enum { OKAY = 0, GENERAL_ERROR = -1, BAD_REFERENCE = -3, BAD_COPY = -10 };

static int16_t copy_one(struct fake_frontend *f, enum grant_direction direction,
                        const struct grant_copy *c)
{
    if (c->size == 0 || c->offset + c->size > NETBACK_PAGE_SIZE)
        return BAD_COPY;
    if (c->reference >= FAKE_PAGES || f->refused[c->reference])
        return BAD_REFERENCE;
    uint8_t *there = fake_frontend_page(f, c->reference) + c->offset;
    if (direction == GRANT_FROM_QUBE)
        memcpy(c->local, there, c->size);
    else
        memcpy(there, c->local, c->size);
    return OKAY;
}

void fake_frontend_copy(struct fake_frontend *f, enum grant_direction direction,
                        struct grant_copy *copies, size_t count)
{
    assert(count <= GRANT_COPIES_MAX);
    if (f->before_copy)
        f->before_copy(f);
    f->copy_calls += count > 0;
    f->copies += count;
    for (size_t i = 0; i < count; i++) {
        /* The assertions of grant_copy(). */
        assert(copies[i].size > 0 &&
               copies[i].offset + copies[i].size <= GRANT_PAGE_SIZE);
        copies[i].status = f->copying_fails
                               ? (int16_t)GENERAL_ERROR
                               : copy_one(f, direction, &copies[i]);
    }
}

static void copy(void *context, enum grant_direction direction,
                 struct grant_copy *copies, size_t count)
{
    fake_frontend_copy(context, direction, copies, count);
}

static void notify(void *context)
{
    struct fake_frontend *f = context;
    f->notified++;
}

struct netback_peer fake_frontend_peer(struct fake_frontend *f)
{
    return (struct netback_peer){f, copy, notify};
}

/* --- Rings --------------------------------------------------------------- */

static size_t slot(const struct fake_end *end, uint32_t index)
{
    return NETBACK_SLOTS +
           (size_t)(index % NETBACK_RING_SLOTS) * end->slot_words;
}

void fake_put(struct fake_end *end, const uint32_t *words)
{
    size_t at = slot(end, end->produced++);
    for (size_t i = 0; i < end->slot_words; i++)
        atomic_store_explicit(&end->page->word[at + i], words[i],
                              memory_order_relaxed);
}

void fake_put_request(struct fake_frontend *f, uint32_t reference,
                      uint16_t offset, uint16_t flags, uint16_t id,
                      uint16_t size)
{
    fake_put(&f->transmit,
             (const uint32_t[]){reference, offset | (uint32_t)flags << 16,
                                id | (uint32_t)size << 16});
}

void fake_put_extra(struct fake_frontend *f, uint8_t type, uint8_t flags,
                    uint16_t gso_size, uint8_t gso_type)
{
    fake_put(&f->transmit, (const uint32_t[]){type | (uint32_t)flags << 8 |
                                                  (uint32_t)gso_size << 16,
                                              gso_type, 0xdddddddd});
}

void fake_put_page(struct fake_frontend *f, uint16_t id, uint32_t reference)
{
    fake_put(&f->receive, (const uint32_t[]){id, reference});
}

bool fake_publish(struct fake_end *end)
{
    _Atomic uint32_t *word = end->page->word;
    uint32_t before =
        atomic_load_explicit(&word[NETBACK_REQ_PROD], memory_order_relaxed);
    atomic_store_explicit(&word[NETBACK_REQ_PROD], end->produced,
                          memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t event =
        atomic_load_explicit(&word[NETBACK_REQ_EVENT], memory_order_relaxed);
    return end->produced - event < end->produced - before;
}

bool fake_take(struct fake_end *end, uint32_t *words)
{
    uint32_t produced = atomic_load_explicit(&end->page->word[NETBACK_RSP_PROD],
                                             memory_order_acquire);
    assert(produced - end->consumed <= NETBACK_RING_SLOTS);
    if (produced == end->consumed)
        return false;
    size_t at = slot(end, end->consumed++);
    for (size_t i = 0; i < end->slot_words; i++)
        words[i] = atomic_load_explicit(&end->page->word[at + i],
                                        memory_order_relaxed);
    return true;
}

bool fake_sleep(struct fake_end *end)
{
    _Atomic uint32_t *word = end->page->word;
    atomic_store_explicit(&word[NETBACK_RSP_EVENT], end->consumed + 1,
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&word[NETBACK_RSP_PROD],
                                memory_order_acquire) == end->consumed;
}

/* --- Frames -------------------------------------------------------------- */

uint32_t fake_put_frame(struct fake_frontend *f, const uint8_t *bytes,
                        uint32_t size, uint32_t piece, uint32_t reference,
                        uint16_t id, uint16_t flags)
{
    uint32_t slots = 0;
    assert(piece > 0 && piece <= NETBACK_PAGE_SIZE && size <= UINT16_MAX);
    for (uint32_t at = 0; at < size; at += piece, slots++) {
        uint32_t here = size - at < piece ? size - at : piece;
        /* Anywhere in its page. */
        uint32_t offset = (NETBACK_PAGE_SIZE - here) / 2;
        uint16_t more = at + here < size ? NETBACK_MORE_DATA : 0;
        memcpy(fake_frontend_page(f, reference + slots) + offset, bytes + at,
               here);
        fake_put_request(f, reference + slots, (uint16_t)offset,
                         (uint16_t)((slots ? 0 : flags) | more),
                         (uint16_t)(id + slots),
                         (uint16_t)(slots ? here : size));
        if (slots == 0 && flags & NETBACK_EXTRA_INFO)
            fake_put_extra(f, NETBACK_EXTRA_GSO, 0, f->gso_size, f->gso_type);
    }
    return slots;
}

static void take_piece(struct fake_frontend *f, struct fake_frame *frame,
                       const uint32_t words[2])
{
    uint16_t id = (uint16_t)words[0];
    uint16_t offset = (uint16_t)(words[0] >> 16);
    int16_t status = (int16_t)(words[1] >> 16);
    if (status < 0) {
        frame->failed = true;
        return;
    }
    uint32_t size = (uint32_t)status;
    assert(size > 0 && offset + size <= NETBACK_PAGE_SIZE);
    assert(frame->size + size <= sizeof frame->bytes);
    memcpy(frame->bytes + frame->size, fake_frontend_page(f, id) + offset,
           size);
    frame->size += size;
}

bool fake_take_frame(struct fake_frontend *f, struct fake_frame *frame)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    if (!fake_take(&f->receive, words))
        return false;
    frame->size = frame->gso_size = frame->gso_type = 0;
    frame->failed = false;
    frame->flags = (uint16_t)words[1];
    take_piece(f, frame, words);
    uint16_t flags = frame->flags;
    if (flags & NETBACK_RESPONSE_EXTRA) {
        uint32_t extra[NETBACK_SLOT_WORDS_MAX];
        bool there = fake_take(&f->receive, extra);
        assert(there && (uint8_t)extra[0] == NETBACK_EXTRA_GSO);
        assert(!(extra[0] >> 8 & NETBACK_EXTRA_MORE));
        frame->gso_size = (uint16_t)(extra[0] >> 16);
        frame->gso_type = (uint8_t)extra[1];
        /* Pad and features: nothing of ours leaks through them. */
        assert(extra[1] >> 8 == 0);
    }
    while (flags & NETBACK_RESPONSE_MORE) {
        /* Frames are published whole. */
        bool there = fake_take(&f->receive, words);
        assert(there);
        flags = (uint16_t)words[1];
        take_piece(f, frame, words);
    }
    return true;
}
