/*
 * The inside of the server, for its files; each calls those above it here:
 *
 *   server_peer       one client, from its cookie to its end
 *   server_admission  whether it may come in, and with what
 *   server_event      what it says, and what the time brings
 *   server_stranger   a sender that is no client yet
 *   server_orders     what the server's owner wants
 *   server            the door
 *
 * Nothing else includes it.
 */
#ifndef OPENVPN_SERVER_SERVER_STATE_H
#define OPENVPN_SERVER_SERVER_STATE_H

#include "gateway/base/log.h"
#include "gateway/openvpn/keys/auth_token.h"
#include "gateway/openvpn/server/server.h"
#include "gateway/openvpn/server/server_pool.h"
#include "gateway/openvpn/server/server_routes.h"
#include "gateway/openvpn/server/server_table.h"
#include "gateway/openvpn/server_config/server_client_config.h"
#include "gateway/openvpn/session/session_data.h"
#include "gateway/openvpn/session/session_wrap.h"
#include "gateway/openvpn/tls/tls_context.h"

enum {
    SERVER_ANSWERS = 32,      /* to strangers, not yet sent */
    SERVER_ANSWER_SIZE = 160, /* tls-auth with SHA512 needs 98 */
    SERVER_NAME_SIZE = 128,
    SERVER_REFUSAL_SIZE = 512, /* room for a challenge */
    SERVER_WHO_SIZE = LOG_QUOTE_SIZE + ENDPOINT_TEXT_SIZE,
    SERVER_LEAVING_SECONDS = 5,  /* for the last word; openvpn: forward.c,
                                    schedule_exit() */
    SERVER_STOPPING_SECONDS = 2, /* the same when the server itself ends */
};

enum server_peer_state {
    SERVER_PEER_NEGOTIATING,
    SERVER_PEER_UP,
    SERVER_PEER_LEAVING, /* until the last word is acknowledged */
    SERVER_PEER_GONE,    /* once what there is to send has been sent */
};

struct server_peer {
    struct server_entry entry; /* first */
    uint64_t client;
    enum server_peer_state state;
    struct instant since;
    struct instant deadline; /* of the state; NEVER if it may last */
    enum server_verdict verdict;
    bool active; /* the first negotiation is over */
    bool asked;  /* for its options */
    bool ping_due;
    bool proven; /* data of it authenticated, last at: */
    struct instant heard;
    bool has_number;
    uint32_t number;             /* in the pool */
    struct prefix ipv4, ipv6;    /* as it is told them */
    struct server_route *routes; /* to it and to what lies behind it */
    struct auth_token token;     /* the newest */
    bool has_token;
    struct instant token_due; /* the next one */
    struct instant idle_due;  /* until then it has to have moved something */
    uint64_t idle_bytes;      /* moved before */
    uint32_t protocol;        /* bits of IV_PROTO that count */
    bool tells_mtu;           /* IV_MTU */
    char cipher[32];          /* "" if there is none in common */
    enum config_compression framing; /* that it is told to have */
    uint16_t fragment;               /* as in session.h */
    char certificate_name[COMMON_NAME_SIZE];
    char common_name[COMMON_NAME_SIZE]; /* by which it is known */
    char username[SERVER_NAME_SIZE];
    char refusal[SERVER_REFUSAL_SIZE]; /* what it is told with REFUSE */
    struct static_key wrap_key;        /* its own, with tls-crypt-v2 */
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    struct session session;
};

struct server_answer {
    struct server_path path;
    uint16_t size;
    uint8_t bytes[SERVER_ANSWER_SIZE];
};

struct server {
    const struct server_config *config;
    struct server_env env;
    struct instant now;
    struct tls_context tls;
    bool tls_ready, stopping;
    struct static_key wrap_key;  /* of all, with tls-auth and tls-crypt */
    struct control_wrap wrap;    /* for strangers: keeps nothing of them */
    struct tls_crypt_key unwrap; /* tls-crypt-v2: what clients' keys are
                                    wrapped with */
    bool wrap_ready;
    struct siphash_key cookie_key;
    struct server_table table;
    struct server_pool pool;
    struct server_routes routes;
    struct auth_token_key token_key;
    uint64_t clients; /* so far */
    uint32_t negotiating, negotiating_max;
    uint32_t up;
    struct server_answer answers[SERVER_ANSWERS]; /* a ring */
    uint32_t answer_first, answer_count;
    uint32_t first_answers; /* given since */
    struct instant first_since;
    struct instant cookieless_due; /* to tell of the next one who is refused */
    uint32_t begun;                /* sessions since */
    struct instant begun_since;
    uint64_t answers_given, logins, put_off, negotiations, goodbyes;
    struct drop_counters drops;
    uint8_t scratch[CONTROL_WRAP_SCRATCH];
};

static inline struct server_peer *server_peer_of(struct server_entry *e)
{
    return (struct server_peer *)e;
}

static inline bool server_has_own_keys(const struct server *s)
{
    return server_config_remote(s->config)->wrap == CONFIG_WRAP_TLS_CRYPT_V2;
}

/* The wrapping that the configuration says, with that key. */
MUST_USE static inline bool server_state_wrap(const struct server *s,
                                              const struct static_key *key,
                                              struct control_wrap *w)
{
    return session_wrap_init(w, OPENVPN_SERVER, server_config_remote(s->config),
                             s->config->common.auth, key,
                             s->env.unix_time(s->env.context));
}

/* A client that has shown that it got our answer, `own`; where that is NULL,
 * one that will be answered by its session. NULL, and a reason, if there is no
 * room. */
struct server_peer *
server_peer_new(struct server *s, const struct server_path *from,
                const struct session_id *own, const struct session_id *theirs,
                const struct static_key *key, enum drop *drop);
/* Forgets it. */
void server_peer_free(struct server *s, struct server_peer *p);
struct instant server_peer_deadline(const struct server_peer *p);
/* Tells it `text` as the last word; NULL: nothing. */
void server_peer_leave(struct server *s, struct server_peer *p,
                       const char *text);
void server_peer_gone(struct server *s, struct server_peer *p);
/* Its connection has ended. */
void server_peer_cut_off(struct server *s, struct server_peer *p);
/* The same, with the reason in the log. */
void server_peer_refuse(struct server *s, struct server_peer *p,
                        const char *text, const char *why);
/* The same for now: it is told to come again in a while. */
void server_peer_put_off(struct server *s, struct server_peer *p,
                         const char *why);
void server_peer_become(struct server *s, struct server_peer *p,
                        enum server_peer_state state, struct instant deadline);
/* From now on it has to move something, where `inactive' wants that. */
void server_peer_watch_idling(struct server *s, struct server_peer *p);
/* For the log. */
const char *server_peer_who(const struct server_peer *p,
                            char out[SERVER_WHO_SIZE]);

/* One at that path that is up, or NULL. */
struct server_peer *server_peer_up_at(const struct server *s,
                                      const struct server_path *path);

/* Takes over what it says it can. */
void server_admission_learn(struct server *s, struct server_peer *p,
                            const struct key_exchange *theirs);
/* Judges a token that it gives for a password. */
enum server_verdict server_admission_token(struct server *s,
                                           struct server_peer *p,
                                           struct bytes password);
/* Gives it the next token, if it has one. */
void server_admission_renew_token(struct server *s, struct server_peer *p);
/* Goes on with who has waited for a verdict. */
void server_admission_decide(struct server *s, struct server_peer *p);

/* Lets its session's news have their effect, and plans its next turn. */
void server_event_settle(struct server *s, struct server_peer *p);
/* Its time has come. */
void server_event_expire(struct server *s, struct server_peer *p);

/* A control datagram of nobody's session: answers a first packet, or makes a
 * client of who returns a cookie. */
enum drop server_stranger_take(struct server *s, const struct server_path *from,
                               struct bytes datagram);

#endif
