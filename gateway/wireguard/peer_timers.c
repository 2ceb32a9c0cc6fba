#include "gateway/wireguard/peer_timers.h"

#include "gateway/wireguard/keypair.h"

enum { ZERO_AFTER = 3 * KEYPAIR_REJECT_AFTER };

static struct instant in(struct instant now, int64_t seconds)
{
    return instant_after(now, duration_seconds(seconds));
}

void peer_timers_init(struct peer_timers *t, struct duration persistent)
{
    *t = (struct peer_timers){.persistent = persistent,
                              .handshake_sent = INSTANT_NEVER};
    for (int i = 0; i < PEER_TIMER_COUNT; i++)
        t->at[i] = INSTANT_NEVER;
}

static bool is_set(const struct peer_timers *t, enum peer_timer timer)
{
    return !instant_is_never(t->at[timer]);
}

/* Every message keeps a path open. */
static void passed(struct peer_timers *t, struct instant now)
{
    if (t->persistent.us)
        t->at[PEER_TIMER_PERSISTENT] = instant_after(now, t->persistent);
}

void peer_timers_sent_data(struct peer_timers *t, struct instant now)
{
    int64_t seconds = PEER_TIMERS_KEEPALIVE + PEER_TIMERS_REKEY_TIMEOUT;
    if (!is_set(t, PEER_TIMER_SILENCE))
        t->at[PEER_TIMER_SILENCE] = instant_after(in(now, seconds), t->jitter);
}

void peer_timers_received_data(struct peer_timers *t, struct instant now)
{
    if (is_set(t, PEER_TIMER_KEEPALIVE))
        t->keepalive_again = true;
    else
        t->at[PEER_TIMER_KEEPALIVE] = in(now, PEER_TIMERS_KEEPALIVE);
}

void peer_timers_sent_authentic(struct peer_timers *t, struct instant now)
{
    t->at[PEER_TIMER_KEEPALIVE] = INSTANT_NEVER;
    t->keepalive_again = false;
    passed(t, now);
}

void peer_timers_received_authentic(struct peer_timers *t, struct instant now)
{
    t->at[PEER_TIMER_SILENCE] = INSTANT_NEVER;
    passed(t, now);
}

void peer_timers_initiated(struct peer_timers *t, struct instant now,
                           struct duration jitter)
{
    t->handshake_sent = now;
    t->at[PEER_TIMER_HANDSHAKE] =
        instant_after(in(now, PEER_TIMERS_REKEY_TIMEOUT), jitter);
}

void peer_timers_derived(struct peer_timers *t, struct instant now)
{
    t->at[PEER_TIMER_ZERO] = in(now, ZERO_AFTER);
}

void peer_timers_complete(struct peer_timers *t)
{
    t->at[PEER_TIMER_HANDSHAKE] = INSTANT_NEVER;
    t->retries = 0;
    t->late_rekey = false;
}

bool peer_timers_too_early(const struct peer_timers *t, struct instant now)
{
    return !instant_is_never(t->handshake_sent) &&
           instant_before(now,
                          in(t->handshake_sent, PEER_TIMERS_REKEY_TIMEOUT));
}

bool peer_timers_trying(const struct peer_timers *t)
{
    return is_set(t, PEER_TIMER_HANDSHAKE);
}

void peer_timers_initiate_later(struct peer_timers *t)
{
    if (!peer_timers_trying(t))
        t->at[PEER_TIMER_HANDSHAKE] =
            in(t->handshake_sent, PEER_TIMERS_REKEY_TIMEOUT);
}

enum peer_timer peer_timers_due(struct peer_timers *t, struct instant now)
{
    for (int i = 0; i < PEER_TIMER_COUNT; i++)
        if (is_set(t, (enum peer_timer)i) && instant_reached(now, t->at[i])) {
            t->at[i] = INSTANT_NEVER;
            return (enum peer_timer)i;
        }
    return PEER_TIMER_COUNT;
}

struct instant peer_timers_deadline(const struct peer_timers *t)
{
    struct instant earliest = INSTANT_NEVER;
    for (int i = 0; i < PEER_TIMER_COUNT; i++)
        earliest = instant_earlier(earliest, t->at[i]);
    return earliest;
}
