/*
 * A server that a client under attack believes: it has the right keys,
 * certificate and session, and leads the client to the tunnel. It also lends
 * its voice: what it says can be changed under its wrapping, and anything else
 * said in it.
 */
#ifndef TESTS_FUZZ_TRUE_SERVER_H
#define TESTS_FUZZ_TRUE_SERVER_H

#include "gateway/openvpn/session/session_data.h"

enum { TRUE_SERVER_TEXT_SIZE = 2048 };

struct true_server_kind {
    enum config_wrap wrap;
    bool old;        /* CBC, and keys by the PRF */
    bool newest;     /* the epoch format, and dynamic tls-crypt */
    bool static_key; /* and no TLS */
    bool equal; /* no server, but another end with TLS: nothing is pushed */
};

struct true_server {
    struct true_server_kind kind;
    struct session_env env;
    bool open;
    struct static_key key; /* of the wrapping, or the static one */
    struct session session;
    struct bytes options, peer_info;  /* what it says in key exchanges */
    const char *push;                 /* instead of the usual; or NULL */
    char text[TRUE_SERVER_TEXT_SIZE]; /* the client's key file */
    uint8_t datagram[CONTROL_PACKET_SIZE_MAX];
};

void true_server_init(struct true_server *t, struct true_server_kind kind,
                      const struct session_env *env);
void true_server_clear(struct true_server *t);
/* Fills a client's profile for this server; texts are borrowed from *t. The
 * remote becomes the only one. */
void true_server_introduce(struct true_server *t, struct config *client,
                           struct config_remote *remote);

/* A new session, forgetting the one before. */
void true_server_open(struct true_server *t, struct instant now);
void true_server_hear(struct true_server *t, struct instant now,
                      struct bytes datagram);
/* Its next datagram, valid until the next call. */
bool true_server_speak(struct true_server *t, struct instant now,
                       struct bytes *out);

/* The same, but the payload, which is TLS records, was changed: pairs of
 * `changes` are a place and what is XORed there. */
bool true_server_stammer(struct true_server *t, struct instant now,
                         struct bytes changes, struct bytes *out);
/* Any control packet, in its name and its wrapping. */
bool true_server_forge(struct true_server *t, struct control_packet *packet,
                       struct bytes *out);

#endif
