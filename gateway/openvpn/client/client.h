/*
 * The OpenVPN client, sans I/O: a state machine that is told what happened
 * and says what to do. It owns no socket and reads no clock.
 *
 *          client_start            connected          keys
 *   IDLE -----------> CONNECTING ------> NEGOTIATING ------> AWAIT_PUSH_REPLY
 *                       ^   ^                 |                  |
 *           back-off    |   +---- failure ----+------------------+  pushed
 *                    PAUSING <---------------------------------- UP
 *                                                  (any) --> STOPPED
 *
 * Input: client_connected, client_open, client_expire, ... Output: after each,
 * `while (client_poll(c, &action)) perform(&action)`, then client_deadline().
 * Packets of qubes bypass the queue: client_seal() and client_open() work in
 * place on bursts, and client_seal() refuses unless the state is UP.
 */
#ifndef OPENVPN_CLIENT_CLIENT_H
#define OPENVPN_CLIENT_CLIENT_H

#include "gateway/base/drop.h"
#include "gateway/base/instant.h"
#include "gateway/base/tunnel.h"
#include "gateway/base/vpn_state.h"
#include "gateway/openvpn/config/config.h"
#include "gateway/packet/burst.h"

struct client;

/* The machine's needs of the world besides time. */
struct client_env {
    void *context;
    /* Cryptographic randomness; cannot fail. */
    void (*random)(void *context, uint8_t *out, size_t size);
    /* Seconds since 1970, for certificates and the wrappings' replay field. */
    uint32_t (*unix_time)(void *context);
};

enum client_state {
    CLIENT_IDLE,
    CLIENT_CONNECTING,       /* waits for client_connected() */
    CLIENT_NEGOTIATING,      /* reset, TLS handshake, key exchange */
    CLIENT_AWAIT_PUSH_REPLY, /* authenticated, options outstanding */
    CLIENT_UP,
    CLIENT_PAUSING,           /* waits before the next attempt */
    CLIENT_AWAIT_CREDENTIALS, /* waits for client_credentials() */
    CLIENT_STOPPED,
    CLIENT_STATE_COUNT
};

enum client_action_type {
    CLIENT_ACTION_CONNECT,    /* open an uplink to `remote` at
                                 client_address(), then say client_connected()
                                 or client_failed() */
    CLIENT_ACTION_SEND,       /* one control datagram, `bytes` */
    CLIENT_ACTION_DISCONNECT, /* close the uplink */
    CLIENT_ACTION_UP,         /* the tunnel stands: `tunnel`. Comes again when
                                 the server changes it */
    CLIENT_ACTION_DOWN,       /* it no longer does; `text` says why */
    CLIENT_ACTION_ASK,        /* credentials or a login with a browser are
                                 needed: `text` for a person */
    CLIENT_ACTION_STOPPED,    /* for good; `text` says why, or is NULL after
                                 client_stop() */
};

struct client_action {
    enum client_action_type type;
    const struct config_remote *remote; /* CONNECT */
    struct bytes bytes;                 /* SEND */
    const struct tunnel *tunnel;        /* UP */
    const char *text;                   /* DOWN, ASK, STOPPED */
};

enum { CLIENT_WHY_SIZE = 256 };

/* Borrows `config` for its life. NULL when memory is short or the profile's
 * keys cannot be used; `why`, which may be NULL, and the log say which. */
struct client *client_new(const struct config *config,
                          const struct client_env *env,
                          char why[CLIENT_WHY_SIZE]);
/* Wipes; sends nothing. */
void client_free(struct client *c);

void client_start(struct client *c, struct instant now);
/* The address to use of the last CONNECT's remote, or of its proxy. False: the
 * name is to be resolved, client_resolved() to be told, and this to be asked
 * again; if it says no once more none fits. */
MUST_USE bool client_address(const struct client *c, struct address *out);
void client_resolved(struct client *c, struct instant now,
                     const struct address *addresses, size_t count);
/* The uplink of the last CONNECT stands; `outer_overhead` is what IP and
 * transport add to a datagram (28 for UDP over IPv4), `outer_mtu` the path's
 * MTU, 0 where any size will do. */
void client_connected(struct client *c, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu);
/* The path's MTU is another now; where the tunnel is up, UP follows. */
void client_path_changed(struct client *c, struct instant now,
                         uint16_t outer_mtu);
/* ICMP said once more that nobody listens at the server's port. One such
 * message proves nothing; several, and silence, are a reason to go on. */
void client_refused(struct client *c, struct instant now);
/* It could not be opened, or broke; `why` for the log. */
void client_failed(struct client *c, struct instant now, const char *why);
/* A timer: call at or after client_deadline(). */
void client_expire(struct client *c, struct instant now);
/* Tear down and connect again at once (suspend, a user's wish). */
void client_reconnect(struct client *c, struct instant now);
/* Ends the pause; whether it may end is the caller's matter: see `wanted_try'
 * and `asked_try' of the status. */
void client_end_pause(struct client *c, struct instant now);
/* Answers ASK. Copied. A part that is NULL stays as it was; client_status()
 * says what is wanted. */
void client_credentials(struct client *c, struct instant now,
                        const char *username, const char *password,
                        const char *response);
/* Say goodbye and stop; STOPPED follows. */
void client_stop(struct client *c, struct instant now);

/* The next thing to do; what it borrows is valid until the next call. */
MUST_USE bool client_poll(struct client *c, struct client_action *out);
struct instant client_deadline(const struct client *c);

/* The place for inner packets, as long as the state is UP. */
struct burst_layout client_layout(const struct client *c);
/* Seals the burst in place. False, and nothing may be sent, unless UP. A
 * datagram with a drop reason is not to be sent either. */
MUST_USE bool client_seal(struct client *c, struct instant now,
                          struct burst *burst);
/* Takes in what the uplink received: opens data packets in place, feeds
 * control packets to the machine, counts drops. */
void client_open(struct client *c, struct instant now, struct burst *burst);

/* For `status`. Text is borrowed until the next call. */
struct client_status {
    enum client_state state;
    enum vpn_state vpn_state;  /* the same for everybody else */
    struct instant since;      /* of this state */
    struct instant next_try;   /* while PAUSING */
    struct instant wanted_try; /* when a qube's wish may bring it forward to;
                                  NEVER: it may not */
    struct instant asked_try;  /* not before, says the server */
    const struct config_remote *remote; /* or NULL */
    const char *cipher;                 /* "AES-256-GCM", or NULL */
    const char *tls; /* "TLSv1.3 TLS1-3-AES-256-GCM-SHA384", or NULL */
    const char *crypto_library;
    const char *server_name;             /* in its certificate, or NULL */
    struct instant last_received;        /* anything authentic, while UP */
    const char *last_error;              /* why it is not up, or NULL */
    const char *certificate;             /* of ours: not valid now; or NULL */
    bool wants_username, wants_password; /* in answer to ASK */
    bool wants_response;                 /* to a challenge */
    bool response_shown;                 /* while it is typed; else secret */
    const struct tunnel *tunnel;         /* or NULL */
    uint64_t packets_sealed, packets_opened;
    uint64_t bytes_sealed, bytes_opened; /* inner bytes */
    uint64_t negotiations; /* TLS handshakes that came to an end */
    uint64_t reconnects;   /* connections given up, for whatever reason */
    uint64_t answers;      /* connections in which the server said anything, as
                              far as they are over */
    uint64_t rounds; /* times all servers failed since the tunnel was up */
    const struct drop_counters *drops;
};
void client_status(const struct client *c, struct client_status *out);

enum { CLIENT_WAITING_SIZE = 512 };

/* Says to a person what is waited for, and what may be the reason, once that
 * lasts. False if nothing is, or not for long. */
bool client_waiting(const struct client *c, struct instant now,
                    char out[CLIENT_WAITING_SIZE]);
/* For debugging; what a person reads is the name of the vpn_state. */
const char *client_state_name(enum client_state state);

#endif
