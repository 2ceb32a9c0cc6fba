#include "gateway/serve/login_queue.h"

#include <string.h>

/* One who has IPv6 has a whole /64 of it. */
static struct address owner_of(const struct address *from)
{
    struct address a = *from;
    if (a.family == ADDRESS_IPV6)
        memset(a.bytes + 8, 0, 8);
    return a;
}

static bool is_alike(const struct login_queue_place *p,
                     const struct address *from, bool again)
{
    return p->taken && p->again == again && address_equal(&p->from, from);
}

static bool has_room(const struct login_queue *q, const struct address *from,
                     bool again)
{
    size_t taken = 0, strangers = 0, same = 0;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++) {
        const struct login_queue_place *p = &q->places[i];
        taken += p->taken;
        strangers += p->taken && !p->again;
        same += is_alike(p, from, again);
    }
    return taken < LOGIN_QUEUE_PLACES && same < LOGIN_QUEUE_OF_ONE &&
           (again || strangers < LOGIN_QUEUE_PLACES - LOGIN_QUEUE_RESERVE);
}

/* The longest that waits of that address gets the next turn, unless one of
 * them has one. */
static void promote(struct login_queue *q, const struct address *from,
                    bool again)
{
    struct login_queue_place *first = NULL;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++) {
        struct login_queue_place *p = &q->places[i];
        if (!is_alike(p, from, again) || !p->waits)
            continue;
        if (p->turn)
            return;
        if (!first || p->came < first->came)
            first = p;
    }
    if (first)
        first->turn = ++q->turns;
}

bool login_queue_put(struct login_queue *q, const struct address *from,
                     bool again, size_t *place)
{
    struct address owner = owner_of(from);
    size_t i = 0;
    if (!has_room(q, &owner, again))
        return false;
    while (q->places[i].taken)
        i++;
    q->places[i] = (struct login_queue_place){
        .taken = true,
        .waits = true,
        .again = again,
        .from = owner,
        .came = ++q->arrivals,
    };
    promote(q, &owner, again);
    *place = i;
    return true;
}

static bool goes_before(const struct login_queue_place *a,
                        const struct login_queue_place *b)
{
    return a->again != b->again ? a->again : a->turn < b->turn;
}

bool login_queue_next(struct login_queue *q, size_t *place)
{
    struct login_queue_place *next = NULL;
    for (size_t i = 0; i < LOGIN_QUEUE_PLACES; i++) {
        struct login_queue_place *p = &q->places[i];
        if (p->taken && p->waits && p->turn && (!next || goes_before(p, next)))
            next = p;
    }
    if (!next)
        return false;
    next->waits = false;
    promote(q, &next->from, next->again);
    *place = (size_t)(next - q->places);
    return true;
}

void login_queue_give(struct login_queue *q, size_t place)
{
    struct login_queue_place gone = q->places[place];
    q->places[place] = (struct login_queue_place){0};
    promote(q, &gone.from, gone.again);
}
