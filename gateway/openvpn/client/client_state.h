/*
 * The inside of the client, shared by client.c (the door), client_event.c
 * (what the server's words do) and client_state.c (from one state to the
 * next). Nobody else includes it.
 */
#ifndef OPENVPN_CLIENT_CLIENT_STATE_H
#define OPENVPN_CLIENT_CLIENT_STATE_H

#include "gateway/base/log.h"
#include "gateway/openvpn/client/client.h"
#include "gateway/openvpn/client/credentials.h"
#include "gateway/openvpn/config/remote_list.h"
#include "gateway/openvpn/push/push_options.h"
#include "gateway/openvpn/session/data_negotiation.h"
#include "gateway/openvpn/session/peer_agreement.h"
#include "gateway/openvpn/session/session_data.h"
#include "gateway/openvpn/tls/certificate_dates.h"
#include "gateway/openvpn/tls/tls_context.h"

enum {
    CLIENT_HELLO_EVERY = 1,  /* s; the first packet over UDP, until it is
                                answered: a server that comes back is found
                                within this */
    CLIENT_REFUSALS = 3,     /* by ICMP, and then */
    CLIENT_REFUSED_FOR = 10, /* s of silence, since the first of them */
    CLIENT_PARTING_MAX = 4,  /* datagrams on the way out */
    CLIENT_LINES_MAX = 100,  /* in the log, of a connection's server */
    CLIENT_ERROR_SIZE = 1024,
    CLIENT_TLS_TEXT_SIZE = 96,
    CLIENT_PLACE_SIZE = 288, /* HOST:PORT/udp */
    CLIENT_QUESTION_SIZE = CONTROL_MESSAGE_MAX + 64,
};

/* A copy of what is sent after its session is gone. */
struct client_parting {
    uint16_t size;
    uint8_t bytes[SESSION_DATAGRAM_MAX];
};

struct client {
    const struct config *config;
    struct client_env env;
    enum client_state state;
    struct instant since, now;
    struct instant deadline;      /* of the state; NEVER if it may last */
    struct instant repeat;        /* next hello or PUSH_REQUEST */
    struct remote_list_plan plan; /* while PAUSING */
    struct remote_list remotes;
    const struct config_remote *remote; /* while there is an attempt */
    uint16_t outer_overhead, outer_mtu;
    unsigned refusals;      /* by ICMP, since the server was last heard */
    struct instant refused; /* the first of them */
    bool closed;            /* says ICMP of a port that was never heard */
    uint32_t static_began;  /* the last count with a static key, or 0 */
    struct credentials credentials;
    bool tls_ready;
    bool without_tls_1_3; /* the next attempt */
    bool session_open;
    bool push_open;
    bool waiting_for_rest;               /* a push in several messages */
    bool challenged;                     /* a CR_TEXT waits for its answer */
    bool challenge_echo;                 /* which may be shown */
    unsigned lines;                      /* in the log, that the server made */
    char question[CLIENT_QUESTION_SIZE]; /* of the server; "" if none */
    char peer_cipher[DATA_NEGOTIATION_CIPHER_SIZE];
    struct peer_agreement p2p; /* where nothing is pulled */
    /* Inactivity. */
    struct instant idle_since;
    uint64_t idle_bytes;
    /* Actions that client_poll() has yet to say. */
    bool tell_connect, tell_disconnect, tell_up, tell_down, tell_ask,
        tell_stopped, ping_due;
    bool uplink_open; /* CONNECT was said and DISCONNECT was not */
    bool up_told;
    uint8_t parting_count, parting_next;
    struct drop_counters drops;
    uint64_t packets_sealed, packets_opened, bytes_sealed, bytes_opened;
    uint64_t negotiations, reconnects, answers;
    char last_error[CLIENT_ERROR_SIZE];
    char tls_text[CLIENT_TLS_TEXT_SIZE];
    char server_name[LOG_QUOTE_SIZE]; /* quoted; "" if there is none */
    char certificate[CERTIFICATE_DATES_TEXT_SIZE]; /* what is wrong with ours */
    struct client_parting parting[CLIENT_PARTING_MAX];
    struct tls_context tls;
    struct static_key wrap_key;
    struct push_options push;
    struct session session;
};

/* The state as others see it. */
enum vpn_state client_state_of_vpn(const struct client *c);

/* The one place where the state changes. */
void client_state_become(struct client *c, enum client_state state,
                         struct instant deadline);

/* Goodbye, where the server knows the word; it frees what it holds. */
void client_state_say_goodbye(struct client *c);
/* Closes everything of this connection; what was still to be said (an alert,
 * EXIT) is kept in copies for client_poll(). */
void client_state_disconnect(struct client *c);
/* No attempt follows, but STOPPED. */
void client_state_end(struct client *c);
/* Both take the reason as last_error. */
void client_state_stop(struct client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Gives this connection up and plans the next attempt; whatever `end` is, a
 * tunnel that stood was LOST. */
void client_state_retry(struct client *c, enum remote_list_end end,
                        const struct remote_list_advice *advice,
                        const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ICMP's word on the port: several such messages and silence are a reason to
 * try the next; the second function says when, the third does it then. */
void client_state_refused(struct client *c);
struct instant client_state_refusal_limit(const struct client *c);
void client_state_leave_refused(struct client *c);

/* Asks a person. */
void client_state_ask(struct client *c);
/* Loads certificate and key, once. */
MUST_USE bool client_state_prepare_tls(struct client *c);
/* Goes for the current remote, or asks for what is missing. */
void client_state_connect(struct client *c);
/* The uplink stands: the first packet. */
void client_state_negotiate(struct client *c);

/* The server of this attempt as HOST:PORT/udp; and what may be the reason when
 * nothing comes from there. */
const char *client_state_place(const struct client *c,
                               char out[CLIENT_PLACE_SIZE]);
const char *client_state_silence_hint(const struct client *c);
/* Nothing came in time. */
void client_state_leave_silent(struct client *c);

/* How long a silent server is waited for. */
struct instant client_state_silence_limit(const struct client *c);

struct instant client_state_in_seconds(const struct client *c, int64_t seconds);

#endif
