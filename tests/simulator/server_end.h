/*
 * The server of the simulator: the program's own (openvpn/server.h), with what
 * a test wants of it, and what it counts.
 */
#ifndef SIMULATOR_SERVER_END_H
#define SIMULATOR_SERVER_END_H

#include "gateway/openvpn/keys/static_key.h"
#include "gateway/openvpn/server/server.h"
#include "tests/simulator/arrivals.h"
#include "tests/vectors/pki.h"

struct server_end_options {
    const char *certificate, *key;      /* NULL: the usual ones */
    const struct static_key *tls_crypt; /* NULL: no wrapping */
    const char *push;                   /* one option more, or NULL */
    char cipher[32];
    /* Its use of the client's abilities. */
    bool exporter, dynamic_wrap, epoch;
    uint32_t renegotiate_seconds; /* 0: never */
    uint16_t fragment;            /* of both ends; 0: none */
    const char *refuse; /* said instead of PUSH_REPLY; NULL: come in */
    bool asks_certificate;
};

struct server_end {
    struct server_end_options options;
    struct server_env env, outer;
    struct server_config config;
    struct server *server;
    struct server_status before; /* of those that were restarted */
    uint64_t pending;            /* a client that waits for a verdict, or 0 */
    const char *said;            /* to it */
    bool silent;                 /* it is switched off */
    struct arrivals arrivals;
    struct burst heard; /* a view of the last datagram */
    char client_name[128], client_password[128];
    char response[128]; /* to a CR_TEXT */
};

MUST_USE bool server_end_init(struct server_end *s,
                              const struct server_end_options *options,
                              const struct server_env *env, struct instant now);
void server_end_clear(struct server_end *s);

void server_end_receive(struct server_end *s, struct instant now,
                        uint8_t *datagram, size_t size);
void server_end_expire(struct server_end *s, struct instant now);
struct instant server_end_deadline(const struct server_end *s);
/* The next control datagram to send. */
MUST_USE bool server_end_transmit(struct server_end *s, struct instant now,
                                  struct bytes *datagram);
/* Any control message to the client. */
MUST_USE bool server_end_say(struct server_end *s, struct instant now,
                             const char *text);
/* Forgets its client without a word, as a restarted server does. */
void server_end_restart(struct server_end *s, struct instant now);

/* Over all restarts. */
struct server_status server_end_status(const struct server_end *s);

#endif
