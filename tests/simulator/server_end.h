/*
 * A server for one client at a time, thin above session.h: it answers a
 * reset, pushes what it is told to, and counts the packets it gets.
 */
#ifndef SIMULATOR_SERVER_END_H
#define SIMULATOR_SERVER_END_H

#include "gateway/base/drop.h"
#include "gateway/openvpn/session_data.h"
#include "tests/simulator/arrivals.h"

struct server_end_options {
    const struct config *config;        /* of its TLS */
    const struct static_key *tls_crypt; /* NULL: no wrapping */
    const char *push; /* PUSH_REPLY without what follows from the rest */
    struct session_data_options data;
    uint32_t renegotiate_seconds; /* 0: never */
    const char *refuse;           /* said instead of PUSH_REPLY, or NULL */
    bool asks_certificate;
};

struct server_end {
    struct server_end_options options;
    struct session_env env;
    struct tls_context tls;
    struct session session;
    bool open;    /* a client has sent its reset */
    bool granted; /* the push was sent */
    bool silent;  /* it is switched off */
    uint64_t negotiations;
    uint64_t sessions;
    uint64_t goodbyes; /* EXIT on the control channel or its older form */
    struct arrivals arrivals;
    struct drop_counters drops;
    char client_options[512], client_name[128], client_password[128];
    char response[128]; /* to a CR_TEXT */
};

MUST_USE bool server_end_init(struct server_end *s,
                              const struct server_end_options *options,
                              const struct session_env *env);
void server_end_clear(struct server_end *s);

void server_end_receive(struct server_end *s, struct instant now,
                        uint8_t *datagram, size_t size);
void server_end_expire(struct server_end *s, struct instant now);
struct instant server_end_deadline(const struct server_end *s);
/* The next control datagram to send. */
MUST_USE bool server_end_transmit(struct server_end *s, struct instant now,
                                  struct bytes *datagram);
/* Forgets its client without a word, as a restarted server does. */
void server_end_restart(struct server_end *s);

#endif
