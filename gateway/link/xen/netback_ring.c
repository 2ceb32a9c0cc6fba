#include "gateway/link/xen/netback_ring.h"

#include <assert.h>

static_assert(sizeof(struct netback_page) == NETBACK_PAGE_SIZE, "one page");
static_assert(NETBACK_SLOTS +
                      NETBACK_SLOT_WORDS_MAX * (int)NETBACK_RING_SLOTS <=
                  NETBACK_PAGE_WORDS,
              "the slots fit the page");

/* A function each: an order that is not a constant would be the strictest. */
static uint32_t load(const struct netback_ring *ring, size_t word)
{
    return atomic_load_explicit(&ring->page->word[word], memory_order_relaxed);
}

static uint32_t load_acquire(const struct netback_ring *ring, size_t word)
{
    return atomic_load_explicit(&ring->page->word[word], memory_order_acquire);
}

static void store(struct netback_ring *ring, size_t word, uint32_t value)
{
    atomic_store_explicit(&ring->page->word[word], value, memory_order_relaxed);
}

static void store_release(struct netback_ring *ring, size_t word,
                          uint32_t value)
{
    atomic_store_explicit(&ring->page->word[word], value, memory_order_release);
}

static size_t slot(const struct netback_ring *ring, uint32_t index)
{
    return NETBACK_SLOTS +
           (size_t)(index % NETBACK_RING_SLOTS) * ring->slot_words;
}

bool netback_ring_attach(struct netback_ring *ring, struct netback_page *page,
                         uint32_t slot_words)
{
    assert(slot_words > 0 && slot_words <= NETBACK_SLOT_WORDS_MAX);
    struct netback_ring r = {.page = page, .slot_words = slot_words};
    uint32_t waiting;
    r.answered = load_acquire(&r, NETBACK_RSP_PROD);
    r.taken = r.answered;
    r.published = r.answered;
    if (!netback_ring_waiting(&r, &waiting))
        return false;
    *ring = r;
    return true;
}

bool netback_ring_waiting(const struct netback_ring *ring, uint32_t *count)
{
    uint32_t produced = load_acquire(ring, NETBACK_REQ_PROD);
    uint32_t held = ring->taken - ring->answered;
    uint32_t beyond = produced - ring->answered;
    /* It may neither overtake its own slots nor take back what we took. */
    if (beyond > NETBACK_RING_SLOTS || beyond < held)
        return false;
    *count = beyond - held;
    return true;
}

void netback_ring_read(const struct netback_ring *ring, uint32_t ahead,
                       uint32_t words[NETBACK_SLOT_WORDS_MAX])
{
    size_t at = slot(ring, ring->taken + ahead);
    for (size_t i = 0; i < ring->slot_words; i++)
        words[i] = load(ring, at + i);
}

void netback_ring_take(struct netback_ring *ring, uint32_t count)
{
    ring->taken += count;
    assert(ring->taken - ring->answered <= NETBACK_RING_SLOTS);
}

void netback_ring_answer(struct netback_ring *ring,
                         const uint32_t words[NETBACK_SLOT_WORDS_MAX])
{
    assert(ring->answered != ring->taken);
    size_t at = slot(ring, ring->answered++);
    for (size_t i = 0; i < ring->slot_words; i++)
        store(ring, at + i, words[i]);
}

bool netback_ring_publish(struct netback_ring *ring)
{
    uint32_t before = ring->published;
    if (before == ring->answered)
        return false;
    ring->published = ring->answered;
    store_release(ring, NETBACK_RSP_PROD, ring->published);
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t event = load(ring, NETBACK_RSP_EVENT);
    return ring->published - event < ring->published - before;
}

bool netback_ring_sleep(struct netback_ring *ring, uint32_t wanted)
{
    uint32_t waiting;
    store(ring, NETBACK_REQ_EVENT, ring->taken + wanted);
    atomic_thread_fence(memory_order_seq_cst);
    return netback_ring_waiting(ring, &waiting) && waiting < wanted;
}
