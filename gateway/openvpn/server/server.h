/*
 * The OpenVPN server, sans I/O: many sessions behind one door. It owns no
 * socket and reads no clock.
 *
 *   stranger --reset--> answered, nothing is kept of it
 *   stranger --cookie--> NEGOTIATING --admitted, pushed--> UP --> (forgotten)
 *                             |                             |
 *                             +-------> LEAVING <-----------+
 *
 * The answer to a first packet carries a session id that only this server can
 * make and that depends on the sender's address: whoever returns it has got
 * the answer, and only then there is anything to remember (openvpn: ssl_pkt.c,
 * calculate_session_id_hmac). A data packet is of the client whose number it
 * carries; where it comes from counts only once it has authenticated.
 *
 * Input: server_open, server_expire, ... Output: after each,
 * `while (server_transmit(...)) send`, then server_deadline(). Packets for
 * clients bypass this: server_find(), server_seal().
 */
#ifndef OPENVPN_SERVER_SERVER_H
#define OPENVPN_SERVER_SERVER_H

#include "gateway/base/drop.h"
#include "gateway/base/instant.h"
#include "gateway/openvpn/server/server_routes.h"
#include "gateway/openvpn/server_config/server_client_config.h"
#include "gateway/openvpn/server_config/server_config.h"
#include "gateway/packet/burst.h"

struct server;
struct server_peer; /* a client; valid until the next input */

/* How packets reach a client. */
struct server_path {
    struct endpoint remote;
    uint64_t stream; /* 0: datagrams; else a connection, whose number is never
                        the same twice */
};

enum server_verdict {
    SERVER_ADMIT,
    SERVER_REFUSE,
    SERVER_LATER, /* server_admit() or server_put_off() follows */
    SERVER_BUSY,  /* nobody can judge now: it shall come again in a while */
};

/* A client that wants to come in, now that TLS has seen its certificate.
 * Borrowed. */
struct server_login {
    uint64_t client; /* never the same twice */
    const char *common_name;
    struct bytes username, password; /* empty: none given */
    const struct server_path *path;
    bool again; /* it is in, and negotiates new keys */
};

/* The machine's needs of the world besides time. */
struct server_env {
    void *context;
    /* Cryptographic randomness; cannot fail. */
    void (*random)(void *context, uint8_t *out, size_t size);
    /* Seconds since 1970. */
    uint32_t (*unix_time)(void *context);
    /* NULL: whoever has a good certificate may come in. */
    enum server_verdict (*admit)(void *context,
                                 const struct server_login *login);
    /* Reads what is said of that client alone into *out, which is empty. False,
     * and it does not come in, if that cannot be used or there must be
     * something and is not. NULL: nothing is said of anybody. */
    bool (*client_config)(void *context, const char *common_name,
                          struct server_client_config *out);
    /* Takes a client's answer to a question that server_tell() asked; NULL:
     * nobody asks any. */
    void (*answered)(void *context, uint64_t client, struct bytes response);
};

/* Borrows `config` for its life. NULL when memory is short or keys cannot be
 * used; the log says why. */
struct server *server_new(const struct server_config *config,
                          const struct server_env *env, struct instant now);
/* Wipes; sends nothing. */
void server_free(struct server *s);

/* Datagrams of one sender: data packets are opened in place, and those of
 * another source address than the client's dropped; control packets are taken
 * in. */
void server_open(struct server *s, struct instant now,
                 const struct server_path *from, struct burst *burst);
/* Whether there is a client at the end of a connection; until then it is
 * anybody's. */
bool server_knows(const struct server *s, const struct server_path *path);
/* A connection is no more, and the client that used it is forgotten. */
void server_disconnected(struct server *s, struct instant now,
                         const struct server_path *path);
/* A timer: call at or after server_deadline(). */
void server_expire(struct server *s, struct instant now);
struct instant server_deadline(const struct server *s);
/* The next control datagram to send, valid until the next call; an empty one
 * says that the connection's client is gone, and it is to be closed. */
MUST_USE bool server_transmit(struct server *s, struct server_path *to,
                              struct bytes *datagram);

/* The answer to SERVER_LATER; `reason` for the client, or NULL. Nothing where
 * the client has gone meanwhile. */
void server_admit(struct server *s, struct instant now, uint64_t client,
                  bool admitted, const char *reason);
/* The other answer: nobody can judge now, and it shall come again in a
 * while. */
void server_put_off(struct server *s, struct instant now, uint64_t client);
/* Lets a client wait so much longer for that answer, and tells it so. */
void server_wait(struct server *s, struct instant now, uint64_t client,
                 uint32_t seconds);
/* Any control message to one client; false if there is none such or its
 * negotiation is not that far. */
MUST_USE bool server_tell(struct server *s, struct instant now, uint64_t client,
                          const char *text);
/* Changes the tunnel of a client that is up (PUSH_UPDATE). NULL, or why
 * not. */
const char *server_update(struct server *s, struct instant now, uint64_t client,
                          const char *const *options, size_t count);
/* Ends the session of a client, which is told to go for good (`halt') or to
 * come again. */
MUST_USE bool server_kick(struct server *s, struct instant now, uint64_t client,
                          bool halt);
/* New keys for a client. */
void server_renegotiate(struct server *s, struct instant now, uint64_t client);
/* Another list of revoked certificates: nobody is dropped, but who is on it
 * cannot negotiate again. False, and the log says why, if it is none. */
MUST_USE bool server_revoke(struct server *s, const struct blob *list);
/* Says goodbye to all where the configuration wants that; server_is_empty()
 * tells when they have heard it. No new ones are taken. */
void server_stop(struct server *s, struct instant now);
bool server_is_empty(const struct server *s);

/* Tells which client had which address: for a file that outlives the server. */

/* As if that client had been here before. */
void server_remember(struct server *s, const char *common_name,
                     const struct address *ipv4);
/* The next address that somebody has or had, from number *number on; steps it
 * on. Borrowed until the next input. */
struct server_lease {
    const char *common_name;
    struct address ipv4, ipv6;
};
MUST_USE bool server_next_lease(const struct server *s, uint32_t *number,
                                struct server_lease *out);

/* Packets to clients. */

/* The client that is up and has the destination, or NULL. */
struct server_peer *server_find(struct server *s,
                                const struct address *destination);
struct burst_layout server_layout(const struct server_peer *p);
const struct server_path *server_path_of(const struct server_peer *p);
/* Seals in place. False, and nothing may be sent, unless it is up. */
MUST_USE bool server_seal(struct server *s, struct instant now,
                          struct server_peer *p, struct burst *burst);

/* For `status`. Borrowed until the next input. */
struct server_status {
    uint32_t up, negotiating;
    uint64_t logins;  /* clients that came up */
    uint64_t put_off; /* told to come again */
    uint64_t negotiations;
    uint64_t goodbyes;
    uint64_t answers; /* given to strangers */
    const struct drop_counters *drops;
};
void server_status(const struct server *s, struct server_status *out);

struct server_client {
    uint64_t client;
    uint32_t peer_id;
    bool up;
    const char *common_name, *username;
    const char *cipher;
    const struct server_path *path;
    const struct address *ipv4, *ipv6; /* family NONE: none */
    const struct server_route *routes; /* to these, and what lies behind */
    struct instant since;
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
};
/* The next client whose number is at least *peer_id; steps *peer_id on. */
MUST_USE bool server_next_client(const struct server *s, uint32_t *peer_id,
                                 struct server_client *out);

#endif
