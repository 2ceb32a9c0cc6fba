#include "gateway/wireguard/data/counter_window.h"

enum { WORD_BITS = 64, WORDS = COUNTER_WINDOW_BITS / WORD_BITS };

static uint64_t *word_of(struct counter_window *w, uint64_t counter)
{
    return &w->bits[counter / WORD_BITS % WORDS];
}

static void raise_to(struct counter_window *w, uint64_t counter)
{
    uint64_t steps = counter / WORD_BITS - w->highest / WORD_BITS;
    if (steps >= WORDS)
        memset(w->bits, 0, sizeof w->bits);
    else
        for (uint64_t i = 1; i <= steps; i++)
            *word_of(w, w->highest + i * WORD_BITS) = 0;
    w->highest = counter;
    w->any = true;
}

bool counter_window_accept(struct counter_window *w, uint64_t counter)
{
    if (counter >= COUNTER_WINDOW_LIMIT)
        return false;
    if (!w->any || counter > w->highest)
        raise_to(w, counter);
    else if (w->highest - counter > COUNTER_WINDOW_SIZE)
        return false;
    uint64_t bit = (uint64_t)1 << counter % WORD_BITS;
    if (*word_of(w, counter) & bit)
        return false;
    *word_of(w, counter) |= bit;
    return true;
}
