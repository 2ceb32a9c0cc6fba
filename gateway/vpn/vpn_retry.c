#include "gateway/vpn/vpn_retry.h"

enum {
    PATIENT_ROUNDS = 4, /* through all profiles, before pauses grow */
    SHIFT_MOST = 5,     /* more than VPN_RETRY_PAUSE_MOST */
};

void vpn_retry_init(struct vpn_retry *r)
{
    *r = (struct vpn_retry){.wish_pause =
                                duration_seconds(VPN_RETRY_WISH_FIRST)};
    vpn_retry_reset(r);
}

static void plan_nothing(struct vpn_retry *r)
{
    r->turn = false;
    r->next = r->planned = r->wanted = r->asked = INSTANT_NEVER;
}

void vpn_retry_reset(struct vpn_retry *r)
{
    plan_nothing(r);
    r->state = VPN_STATE_BLOCKED;
    r->answers = r->rounds = 0;
}

/* As for the servers of one profile: patient at first. */
static struct duration pause_between_profiles(const struct vpn_retry *r,
                                              size_t others)
{
    uint64_t rounds = r->fruitless / (others + 1);
    if (rounds < PATIENT_ROUNDS)
        return duration_seconds(0);
    uint64_t shift = rounds - PATIENT_ROUNDS;
    int64_t seconds = (int64_t)1 << (shift < SHIFT_MOST ? shift : SHIFT_MOST);
    return duration_seconds(
        seconds < VPN_RETRY_PAUSE_MOST ? seconds : VPN_RETRY_PAUSE_MOST);
}

/* The client's own pause is kept in any case. */
static void await_turn(struct vpn_retry *r, struct instant now,
                       struct instant next_try, size_t others)
{
    struct instant turn = instant_after(now, pause_between_profiles(r, others));
    r->turn = true;
    r->next = r->planned = instant_before(turn, next_try) ? next_try : turn;
}

static void answered(struct vpn_retry *r)
{
    r->wish_pause = duration_seconds(VPN_RETRY_WISH_FIRST);
}

void vpn_retry_told(struct vpn_retry *r, struct instant now,
                    const struct protocol_status *status, size_t others)
{
    bool round = status->rounds > r->rounds;
    /* A protocol that never pauses begins its next try at any time. */
    bool goes_on = r->state == VPN_STATE_CONNECTING &&
                   status->state == VPN_STATE_CONNECTING && !round;
    r->state = status->state;
    if (status->state == VPN_STATE_STOPPED)
        return; /* vpn_retry_stopped() says more */
    if (status->answers != r->answers || status->state == VPN_STATE_CONNECTED)
        answered(r);
    r->answers = status->answers;
    r->rounds = status->rounds;
    if (status->state == VPN_STATE_CONNECTED)
        r->fruitless = 0;
    if (r->turn && goes_on)
        return;
    plan_nothing(r);
    if (status->state == VPN_STATE_WAITING_TO_RETRY) {
        r->planned = status->next_try;
        r->wanted = status->wanted_try;
        r->asked = status->asked_try;
        if (status->rounds > 0 && others > 0)
            await_turn(r, now, status->next_try, others);
    } else if (status->state == VPN_STATE_CONNECTING && round && others > 0) {
        await_turn(r, now, now, others);
    }
}

void vpn_retry_stopped(struct vpn_retry *r, struct instant now, size_t others)
{
    plan_nothing(r);
    r->state = VPN_STATE_STOPPED;
    if (others > 0)
        await_turn(
            r, now,
            instant_after(now, duration_seconds(VPN_RETRY_STOPPED_PAUSE)),
            others);
}

static struct instant later(struct instant a, struct instant b)
{
    return instant_before(a, b) ? b : a;
}

bool vpn_retry_wanted(struct vpn_retry *r, struct instant now)
{
    if (r->state != VPN_STATE_WAITING_TO_RETRY || instant_is_never(r->wanted))
        return false;
    struct instant when = later(later(now, r->wanted), r->wish);
    /* A planned attempt comes no later. */
    if (!instant_before(when, instant_earlier(r->planned, r->next)))
        return false;
    r->next = when;
    r->wish = instant_after(when, r->wish_pause);
    r->wish_pause.us *= 2;
    if (r->wish_pause.us > duration_seconds(VPN_RETRY_WISH_MOST).us)
        r->wish_pause = duration_seconds(VPN_RETRY_WISH_MOST);
    return true;
}

enum vpn_retry_action vpn_retry_way_changed(struct vpn_retry *r,
                                            struct instant now)
{
    switch (r->state) {
    case VPN_STATE_BLOCKED:
    case VPN_STATE_STOPPED:
    case VPN_STATE_WAITING_FOR_LOGIN: /* a person is waited for, no way */
    case VPN_STATE_COUNT:
        return VPN_RETRY_NOTHING;
    case VPN_STATE_WAITING_TO_RETRY:
        if (instant_reached(now, r->asked))
            break;
        r->next =
            instant_earlier(r->asked, instant_earlier(r->planned, r->next));
        return VPN_RETRY_NOTHING;
    case VPN_STATE_CONNECTING:
    case VPN_STATE_CONNECTED:
        break;
    }
    plan_nothing(r);
    return VPN_RETRY_WAY_CHANGED;
}

bool vpn_retry_holds(const struct vpn_retry *r)
{
    return r->turn && r->state == VPN_STATE_WAITING_TO_RETRY;
}

struct instant vpn_retry_deadline(const struct vpn_retry *r)
{
    return r->next;
}

enum vpn_retry_action vpn_retry_expire(struct vpn_retry *r, struct instant now)
{
    bool turn = r->turn;
    if (!instant_reached(now, r->next))
        return VPN_RETRY_NOTHING;
    plan_nothing(r);
    r->fruitless += turn;
    return turn ? VPN_RETRY_NEXT_PROFILE : VPN_RETRY_AGAIN;
}
