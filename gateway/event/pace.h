/*
 * When the loop lets work pile up for a moment: what a network card's
 * interrupt moderation does for a kernel.
 *
 * A peer that sends packet by packet wakes us for each, and the waking costs
 * more than the packet. So once several turns in a row were short of work
 * and short of waiting, the loop sleeps PACE_NAP before it looks again; each
 * nap that finds work is followed by another, unless there is so much of it
 * that the turn is long. The first that finds nothing ends it. A packet that
 * comes after any pause is served at once.
 */
#ifndef EVENT_PACE_H
#define EVENT_PACE_H

#include "gateway/base/instant.h"

enum {
    PACE_NAP = 50,        /* us */
    PACE_SHORT_WAIT = 50, /* us; a nap pays when more comes within it */
    PACE_SHORT_TURN = 20, /* us; a longer one had its batch */
    PACE_PATIENCE = 8,    /* such turns before the first nap */
};

/* Zeroed it has seen nothing. */
struct pace {
    struct instant began; /* the turn */
    struct instant ended;
    uint8_t short_turns; /* in a row, up to PACE_PATIENCE */
};

/* A turn is over. True: sleep before looking what there is. */
static inline bool pace_turn_ended(struct pace *p, struct instant now)
{
    p->ended = now;
    if (instant_since(now, p->began).us >= PACE_SHORT_TURN)
        p->short_turns = 0;
    return p->short_turns >= PACE_PATIENCE;
}

/* There was nothing after the nap. */
static inline void pace_napped_in_vain(struct pace *p)
{
    p->short_turns = 0;
}

/* There is something to do, after a nap or a wait. */
static inline void pace_turn_begins(struct pace *p, struct instant now,
                                    bool napped)
{
    if (!napped && instant_since(now, p->ended).us >= PACE_SHORT_WAIT)
        p->short_turns = 0;
    else if (p->short_turns < PACE_PATIENCE)
        p->short_turns++;
    p->began = now;
}

#endif
