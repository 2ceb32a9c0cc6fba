#include "tests/simulator/pipe.h"

#include <assert.h>

#include "gateway/openvpn/control/control_packet.h"
#include "tests/unit.h"

void pipe_init(struct pipe *p, uint32_t seed, const struct pipe_faults *faults)
{
    memset(p, 0, sizeof *p);
    p->faults = *faults;
    /* xorshift stands still at 0. */
    p->random = seed * 2654435761U + 1;
    if (p->random == 0)
        p->random = 1;
}

static bool happens(struct pipe *p, unsigned percent)
{
    return next_random(&p->random) % 100 < percent;
}

static void put(struct pipe *p, struct instant now, struct bytes datagram)
{
    struct duration delay = p->faults.delay;
    if (p->faults.jitter.us > 0)
        delay.us += (int64_t)next_random(&p->random) % p->faults.jitter.us;
    for (size_t i = 0; i < PIPE_DATAGRAMS_MAX; i++) {
        struct pipe_datagram *d = &p->under_way[i];
        if (d->size > 0)
            continue;
        d->due = instant_after(now, delay);
        d->order = p->sent;
        d->size = datagram.size;
        memcpy(d->bytes, datagram.data, datagram.size);
        return;
    }
    p->lost++;
}

static bool is_swallowed(const struct pipe *p, uint8_t first)
{
    return p->faults.no_new_keys && opcode_is_control(opcode_of(first)) &&
           key_id_of(first) > 0;
}

void pipe_send(struct pipe *p, struct instant now, struct bytes datagram)
{
    assert(datagram.size > 0 && datagram.size <= PIPE_DATAGRAM_MAX);
    p->sent++;
    if (happens(p, p->faults.loss) || is_swallowed(p, datagram.data[0])) {
        p->lost++;
        p->data_lost += opcode_is_data(opcode_of(datagram.data[0]));
        return;
    }
    put(p, now, datagram);
    if (happens(p, p->faults.doubles)) {
        p->doubled++;
        put(p, now, datagram);
    }
}

static struct pipe_datagram *first(struct pipe *p)
{
    struct pipe_datagram *found = NULL;
    for (size_t i = 0; i < PIPE_DATAGRAMS_MAX; i++) {
        struct pipe_datagram *d = &p->under_way[i];
        if (d->size > 0 &&
            (!found || d->due.us < found->due.us ||
             (d->due.us == found->due.us && d->order < found->order)))
            found = d;
    }
    return found;
}

bool pipe_receive(struct pipe *p, struct instant now,
                  uint8_t out[PIPE_DATAGRAM_MAX], size_t *size)
{
    struct pipe_datagram *d = first(p);
    if (!d || !instant_reached(now, d->due))
        return false;
    memcpy(out, d->bytes, d->size);
    *size = d->size;
    d->size = 0;
    return true;
}

struct instant pipe_deadline(const struct pipe *p)
{
    struct instant t = INSTANT_NEVER;
    for (size_t i = 0; i < PIPE_DATAGRAMS_MAX; i++) {
        if (p->under_way[i].size > 0)
            t = instant_earlier(t, p->under_way[i].due);
    }
    return t;
}
