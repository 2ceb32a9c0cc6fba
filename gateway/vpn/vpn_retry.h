/*
 * When the next attempt to connect is made, and with which profile: told what
 * the client does and what qubes and network want, it says what is to be
 * done. No clock, no client of its own.
 *
 * The client plans its own pauses. Here
 *   - another profile's turn comes in the place of such a pause, when each
 *     server of the active profile has been tried;
 *   - a packet of a qube that was refused because there is no tunnel brings
 *     the next attempt forward: not after an authentication failure, not
 *     sooner than server and profile allow, and ever less often until a
 *     server says anything;
 *   - another way to the servers, or the end of a sleep, ends a pause: what
 *     failed before may work now.
 */
#ifndef VPN_VPN_RETRY_H
#define VPN_VPN_RETRY_H

#include "gateway/vpn/protocol.h"

enum {
    VPN_RETRY_PAUSE_MOST = 30,   /* s, between profiles */
    VPN_RETRY_WISH_FIRST = 10,   /* s, between attempts that qubes want */
    VPN_RETRY_WISH_MOST = 30,    /* s; the same, as no server answers */
    VPN_RETRY_STOPPED_PAUSE = 5, /* s, after a client that stopped for good */
};

enum vpn_retry_action {
    VPN_RETRY_NOTHING,
    VPN_RETRY_AGAIN,        /* the client's pause is over */
    VPN_RETRY_WAY_CHANGED,  /* what stood may be gone */
    VPN_RETRY_NEXT_PROFILE, /* it is another profile's turn */
};

struct vpn_retry {
    enum vpn_state state;
    bool turn;              /* the next attempt is another profile's */
    struct instant next;    /* planned here; NEVER: the client's plan holds */
    struct instant planned; /* as it was, before anything brought it forward */
    struct instant wanted;  /* as in protocol_status */
    struct instant asked;   /* as in protocol_status */
    struct instant wish;    /* no attempt because of a qube before */
    struct duration wish_pause;
    uint64_t answers;   /* as in protocol_status, */
    uint64_t rounds;    /* and this */
    uint64_t fruitless; /* profiles since the tunnel was up */
};

void vpn_retry_init(struct vpn_retry *r);
/* Another client is active, or none: nothing is planned. */
void vpn_retry_reset(struct vpn_retry *r);

/* Takes the client's status when its state is another. `others` is how many
 * other profiles could be tried. */
void vpn_retry_told(struct vpn_retry *r, struct instant now,
                    const struct protocol_status *status, size_t others);
/* The client stopped for good, but the gateway goes on. */
void vpn_retry_stopped(struct vpn_retry *r, struct instant now, size_t others);
/* A packet of a qube was refused because there is no tunnel. True if that
 * brought the next attempt forward. */
bool vpn_retry_wanted(struct vpn_retry *r, struct instant now);
/* There is another way to the servers, or the machine slept. */
enum vpn_retry_action vpn_retry_way_changed(struct vpn_retry *r,
                                            struct instant now);

/* The client must not end its pause by itself. */
bool vpn_retry_holds(const struct vpn_retry *r);
struct instant vpn_retry_deadline(const struct vpn_retry *r);
enum vpn_retry_action vpn_retry_expire(struct vpn_retry *r, struct instant now);

#endif
