/*
 * A client, a server and the two pipes between them, on a clock of their own
 * that jumps from one event to the next: an hour passes in the time that the
 * cryptography takes.
 */
#ifndef SIMULATOR_WORLD_H
#define SIMULATOR_WORLD_H

#include "gateway/openvpn/client/client.h"
#include "tests/simulator/attacker.h"
#include "tests/simulator/core3.h"
#include "tests/simulator/pipe.h"
#include "tests/simulator/server_end.h"

enum { WORLD_UNIX_TIME = 2000000000 }; /* 2033; the test certificates' time */

struct world_options {
    uint32_t seed;
    struct pipe_faults faults;
    /* The differences from a plain client and server; NULL: as usual. */
    const char *server_crt, *server_key;
    const char *client_ca;
    struct server_end_options server;
    bool core3_client, core3_server; /* speaks as the OpenVPN 3 core does */
    unsigned copies;                 /* percent, of the attacker */
    void (*change_config)(struct config *client);
};

struct world {
    struct instant now;
    uint32_t random;
    struct config client_config;
    struct client *client;
    struct server_end server;
    struct pipe up, down; /* to the server, to the client */
    bool core3_client, core3_server;
    struct core3 client_mouth, server_mouth;
    struct attacker attacker;
    bool uplink;
    size_t addresses;         /* that each name has; 0: nobody asks for them */
    char tried[256];          /* "name number;", where it connected to */
    struct arrivals arrivals; /* at the client */
    struct burst heard;       /* by it: a view of the last datagram */
    uint32_t client_numbers, server_numbers; /* packets sent so far */
    /* The client's actions, counted. */
    unsigned ups, downs, connects, disconnects, asks, stops;
    char text[1024]; /* of the last DOWN, ASK or STOPPED */
    struct tunnel tunnel;
};

/* Faults: none; tls-crypt: none; the usual push; keys by the exporter. */
struct world_options world_usual(uint32_t seed);
/* 30 % of the datagrams lost, a tenth doubled, up to 20 ms of reordering. */
struct pipe_faults world_bad_path(void);

struct world *world_new(const struct world_options *o);
void world_free(struct world *w);

/* Lets time pass until then. */
void world_run(struct world *w, struct duration length);
/* ... or until the client is in that state: true if it is. */
MUST_USE bool world_run_until(struct world *w, struct duration length,
                              enum client_state state);

/* One numbered packet from the client or server into the tunnel; false if it
 * was not taken. */
MUST_USE bool world_client_sends(struct world *w);
MUST_USE bool world_server_sends(struct world *w);

/* The client lets no packet out at all. */
MUST_USE bool world_client_refuses(struct world *w);

/* Delivers to the client what nobody sent, or somebody else did. */
void world_inject(struct world *w, const uint8_t *datagram, size_t size);

struct client_status world_status(const struct world *w);

#endif
