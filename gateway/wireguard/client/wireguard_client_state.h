/*
 * The inside of the client, shared by wireguard_client.c (the door),
 * wireguard_client_way.c (servers and uplink), wireguard_client_tunnel.c (up
 * and down) and wireguard_client_text.c (what a person reads). Nobody else
 * includes it.
 */
#ifndef WIREGUARD_CLIENT_WIREGUARD_CLIENT_STATE_H
#define WIREGUARD_CLIENT_WIREGUARD_CLIENT_STATE_H

#include "gateway/wireguard/client/peer_way.h"
#include "gateway/wireguard/client/tunnel_probe.h"
#include "gateway/wireguard/client/wireguard_client.h"
#include "gateway/wireguard/device.h"
#include "gateway/wireguard/profile/wireguard_profile.h"

enum wireguard_client_phase {
    WIREGUARD_CLIENT_IDLE,
    WIREGUARD_CLIENT_FINDING, /* the main peer's address */
    WIREGUARD_CLIENT_OPENING, /* the uplink */
    WIREGUARD_CLIENT_SHAKING,
    WIREGUARD_CLIENT_UP,
    WIREGUARD_CLIENT_PAUSING,
    WIREGUARD_CLIENT_STOPPED,
};

enum {
    WIREGUARD_CLIENT_PAUSE = 5,       /* s, when there is no way at all, */
    WIREGUARD_CLIENT_PAUSE_MOST = 30, /* and the longest one */
    WIREGUARD_CLIENT_PROBE_EVERY = 5, /* s, until something comes back */
    WIREGUARD_CLIENT_ERROR_SIZE = 512,
    WIREGUARD_CLIENT_PLACE_SIZE = 160, /* HOST:PORT/udp, cut */
    WIREGUARD_CLIENT_FACT_SIZE = 96,
};

struct wireguard_client {
    struct protocol protocol; /* first */
    const struct wireguard_profile *profile;
    struct protocol_env env;
    struct device *device;
    uint16_t main; /* the number of the peer whose state is the tunnel's */
    enum wireguard_client_phase phase;
    struct instant now, since;
    struct instant deadline; /* of the phase */
    /* The address of each peer. */
    struct peer_way ways[PROTOCOL_ENDPOINTS_MAX];
    struct protocol_server servers[PROTOCOL_ENDPOINTS_MAX]; /* of the others */
    struct endpoint aimed[PROTOCOL_ENDPOINTS_MAX]; /* as the uplink was told */
    uint64_t ask;                                  /* a bit each: RESOLVE */
    bool uplink_open;
    uint16_t outer_overhead, outer_mtu;
    unsigned pause;    /* s, the last one since it was up */
    unsigned refusals; /* ICMP's, since anything was heard */
    enum protocol_refusal refusal;
    /* The tunnel. */
    struct tunnel tunnel;
    bool up;
    bool answered;              /* something came since it is up */
    uint64_t handshakes;        /* of the main peer, as they were seen */
    struct instant heard;       /* the same, */
    uint64_t heard_initiations; /* and how many had been sent by then */
    struct tunnel_probe probe;
    bool probing;
    struct instant probe_at;
    /* Actions that poll() has yet to say. */
    bool tell_connect, tell_disconnect, tell_up, tell_down, tell_stopped;
    uint64_t reconnects, answers;
    char last_error[WIREGUARD_CLIENT_ERROR_SIZE];
    char facts[4][WIREGUARD_CLIENT_FACT_SIZE];
};

static inline const struct peer *
wireguard_client_main(const struct wireguard_client *c)
{
    return device_peer(c->device, c->main);
}

/* wireguard_client.c: the one place where the phase changes. */
void wireguard_client_become(struct wireguard_client *c,
                             enum wireguard_client_phase phase,
                             struct instant deadline);
struct instant wireguard_client_in(const struct wireguard_client *c,
                                   int64_t seconds);

/* wireguard_client_way.c */

void wireguard_client_ways_init(struct wireguard_client *c);
/* The main peer's server in turn is looked for, and the others'. */
void wireguard_client_find(struct wireguard_client *c);
void wireguard_client_resolved(struct wireguard_client *c, unsigned endpoint,
                               const struct address *addresses, size_t count,
                               const char *why);
/* The uplink is open: hands are shaken with the main peer. */
void wireguard_client_begin(struct wireguard_client *c);
void wireguard_client_lose_uplink(struct wireguard_client *c, const char *why);
/* Before timers fire: who has been silent for three tries is sought
 * elsewhere. */
void wireguard_client_seek(struct wireguard_client *c);
/* A peer is elsewhere than the uplink was told: which one. */
MUST_USE bool wireguard_client_aim(struct wireguard_client *c,
                                   struct protocol_action *out);

/* wireguard_client_tunnel.c */

/* After each input: is it up, answered, lost? */
void wireguard_client_watch(struct wireguard_client *c);
/* The sizes that the outer path allows; true if they are others. */
bool wireguard_client_fit_path(struct wireguard_client *c);
void wireguard_client_make_tunnel(struct wireguard_client *c);
void wireguard_client_go_down(struct wireguard_client *c, const char *format,
                              ...) __attribute__((format(printf, 2, 3)));
void wireguard_client_ask_resolver(struct wireguard_client *c);
/* Keeps the answer to that question to itself. */
void wireguard_client_take_answer(struct wireguard_client *c,
                                  struct burst *burst);

/* wireguard_client_text.c */

const char *wireguard_client_place(const struct wireguard_client *c,
                                   char out[WIREGUARD_CLIENT_PLACE_SIZE]);
void wireguard_client_status(const struct protocol *p,
                             struct protocol_status *out);
bool wireguard_client_waiting(const struct protocol *p, struct instant now,
                              char out[PROTOCOL_WAITING_SIZE]);

#endif
