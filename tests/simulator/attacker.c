#include "tests/simulator/attacker.h"

#include "tests/unit.h"

/* Once there is no room, any one is forgotten; the very first ones, with which
 * everything began, are kept. */
static size_t place_for(struct attacker *a)
{
    enum { FIRST = ATTACKER_KEEPS / 4 };
    if (a->count < ATTACKER_KEEPS)
        return a->count++;
    return FIRST + next_random(&a->random) % (ATTACKER_KEEPS - FIRST);
}

void attacker_see(struct attacker *a, struct instant now, struct bytes datagram,
                  struct pipe *up, struct pipe *down)
{
    if (a->percent == 0)
        return;
    size_t at = place_for(a);
    a->kept[at].size = datagram.size;
    memcpy(a->kept[at].bytes, datagram.data, datagram.size);
    if (next_random(&a->random) % 100 >= a->percent)
        return;
    at = next_random(&a->random) % a->count;
    a->copies++;
    pipe_send(next_random(&a->random) % 2 ? up : down, now,
              bytes_of(a->kept[at].bytes, a->kept[at].size));
}
