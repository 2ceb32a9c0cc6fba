#include "gateway/openvpn/keys/replay_window.h"

#include <assert.h>
#include <stdlib.h>

enum { WORD_BITS = 64 };

bool replay_window_init(struct replay_window *w, uint32_t size,
                        uint32_t seconds)
{
    assert(size <= REPLAY_WINDOW_MAX);
    if (size == 0)
        size = 1;
    *w = (struct replay_window){
        .size = (size + WORD_BITS - 1) / WORD_BITS * WORD_BITS,
        .seconds = seconds,
        .words = 2,
    };
    /* One word more than the window: the word that the highest number has
     * begun holds numbers to come. */
    while (w->words * WORD_BITS < w->size + WORD_BITS)
        w->words *= 2;
    w->bits = calloc(w->words, sizeof *w->bits);
    return w->bits != NULL;
}

void replay_window_clear(struct replay_window *w)
{
    free(w->bits);
    *w = (struct replay_window){0};
}

void replay_window_reset(struct replay_window *w)
{
    w->highest = w->floor = w->mark = 0;
    memset(w->bits, 0, w->words * sizeof *w->bits);
}

static uint64_t *word_of(struct replay_window *w, uint64_t number)
{
    return &w->bits[number / WORD_BITS & (w->words - 1)];
}

static uint64_t bit_of(uint64_t number)
{
    return (uint64_t)1 << number % WORD_BITS;
}

static void raise_to(struct replay_window *w, struct instant now,
                     uint64_t number)
{
    uint64_t steps = number / WORD_BITS - w->highest / WORD_BITS;
    if (steps >= w->words)
        memset(w->bits, 0, w->words * sizeof *w->bits);
    else
        for (uint64_t i = 1; i <= steps; i++)
            *word_of(w, w->highest + i * WORD_BITS) = 0;
    w->highest = number;
    w->raised = now;
}

static void age(struct replay_window *w, struct instant now)
{
    struct duration limit = duration_seconds(w->seconds);
    if (w->seconds == 0)
        return;
    if (w->mark == 0) {
        w->mark = w->highest;
        w->marked = w->raised;
    }
    if (!instant_reached(now, instant_after(w->marked, limit)))
        return;
    /* A number below the mark was overtaken when it was set, or before. */
    w->floor = w->mark;
    w->mark = w->highest;
    w->marked = w->raised;
    if (instant_reached(now, instant_after(w->marked, limit)))
        w->floor = w->highest;
}

bool replay_window_accept(struct replay_window *w, struct instant now,
                          uint64_t number)
{
    assert(w->bits);
    if (number == 0)
        return false;
    if (number > w->highest) {
        age(w, now);
        raise_to(w, now, number);
    } else {
        if (w->highest - number >= w->size)
            return false;
        age(w, now);
        if (number <= w->floor || *word_of(w, number) & bit_of(number))
            return false;
    }
    *word_of(w, number) |= bit_of(number);
    return true;
}

bool replay_window_accept_long(struct replay_window *w, uint32_t *began,
                               struct instant now, uint32_t time,
                               uint32_t number)
{
    if (number == 0 || time < *began)
        return false;
    if (time > *began) {
        replay_window_reset(w);
        *began = time;
    }
    return replay_window_accept(w, now, number);
}
