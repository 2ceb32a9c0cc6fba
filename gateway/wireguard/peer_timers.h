/*
 * When a peer's next thing is due (wireguard paper 6; Linux: timers.c).
 *
 *   HANDSHAKE       an initiation has had no answer for 5 s: another
 *   KEEPALIVE       data came 10 s ago, and nothing was sent since
 *   SILENCE         data was sent 15 s ago, and nothing came since: handshake
 *   PERSISTENT      nothing came or went for as long as the profile says
 *   ZERO            no new keys for 540 s: wipe
 *
 * HANDSHAKE and SILENCE have up to a third of a second more, at random, so that
 * two ends do not begin at once: `jitter`.
 */
#ifndef WIREGUARD_PEER_TIMERS_H
#define WIREGUARD_PEER_TIMERS_H

#include "gateway/base/instant.h"

enum {
    PEER_TIMERS_REKEY_AFTER = 120,  /* s; REKEY_AFTER_TIME */
    PEER_TIMERS_REKEY_TIMEOUT = 5,  /* s */
    PEER_TIMERS_KEEPALIVE = 10,     /* s; KEEPALIVE_TIMEOUT */
    PEER_TIMERS_RETRIES = 18,       /* REKEY_ATTEMPT_TIME / REKEY_TIMEOUT */
    PEER_TIMERS_JITTER_US = 333333, /* at most */
};

enum peer_timer {
    PEER_TIMER_HANDSHAKE,
    PEER_TIMER_KEEPALIVE,
    PEER_TIMER_SILENCE,
    PEER_TIMER_PERSISTENT,
    PEER_TIMER_ZERO,
    PEER_TIMER_COUNT,
};

struct peer_timers {
    struct instant at[PEER_TIMER_COUNT]; /* NEVER: not set */
    struct duration persistent;          /* 0: off */
    struct duration jitter;              /* SILENCE's, drawn with the keys */
    struct instant handshake_sent;       /* the last initiation or response */
    unsigned retries;     /* of the initiation not answered yet */
    bool keepalive_again; /* data came while KEEPALIVE was set */
    bool late_rekey;      /* asked for once, when receiving */
};

void peer_timers_init(struct peer_timers *t, struct duration persistent);

/* The events. Data is a packet that is no keepalive; authentic is every
 * message that the keys vouch for. */
void peer_timers_sent_data(struct peer_timers *t, struct instant now);
void peer_timers_received_data(struct peer_timers *t, struct instant now);
void peer_timers_sent_authentic(struct peer_timers *t, struct instant now);
void peer_timers_received_authentic(struct peer_timers *t, struct instant now);
void peer_timers_initiated(struct peer_timers *t, struct instant now,
                           struct duration jitter);
/* A responder has new keys, not confirmed yet; an initiator has them. */
void peer_timers_derived(struct peer_timers *t, struct instant now);
/* Both ends have the new keys. */
void peer_timers_complete(struct peer_timers *t);

/* An initiation or response went out less than 5 s ago: no initiation now. */
bool peer_timers_too_early(const struct peer_timers *t, struct instant now);
/* An initiation waits for its answer, or for the time when it may go. */
bool peer_timers_trying(const struct peer_timers *t);
/* The initiation that may not go now is due as soon as it may. */
void peer_timers_initiate_later(struct peer_timers *t);

/* The timer that is due, and no longer set; COUNT: none. */
enum peer_timer peer_timers_due(struct peer_timers *t, struct instant now);
struct instant peer_timers_deadline(const struct peer_timers *t);

#endif
