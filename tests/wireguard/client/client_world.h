/*
 * A WireGuard client behind its door, a server that is a device, and between
 * them a network and a resolver that do what the test says. The clock is
 * moved by this file alone.
 */
#ifndef TESTS_WIREGUARD_CLIENT_CLIENT_WORLD_H
#define TESTS_WIREGUARD_CLIENT_CLIENT_WORLD_H

#include "gateway/vpn/protocol.h"
#include "gateway/wireguard/device.h"

enum { CLIENT_WORLD_NAMES = 4, CLIENT_WORLD_SENT_MAX = 4096 };

struct client_world {
    struct instant now;
    int64_t wall;      /* ns at instant 0 */
    int64_t stamps[2]; /* client, server */
    uint64_t random;
    struct protocol *client;
    struct device *server;
    struct endpoint server_place; /* where the server listens */
    /* The test's. */
    bool mute;         /* nothing gets through */
    bool no_uplink;    /* it cannot be opened */
    bool dead_inside;  /* the server answers no packets */
    size_t name_count; /* that every name has */
    struct address names[CLIENT_WORLD_NAMES];
    /* The client's requests. */
    bool uplink_open, up;
    struct endpoint aims[PROTOCOL_ENDPOINTS_MAX];
    unsigned resolves, connects, aim_count, ups, downs, disconnects, stops;
    char last_name[PROTOCOL_HOST_SIZE], last_down[512], last_stop[512];
    struct tunnel tunnel;
    unsigned questions; /* to the resolver inside, that arrived */
    unsigned handed_on; /* packets that came out of the client */
    unsigned sent_count;
    struct {
        struct instant at;
        struct endpoint to;
        uint8_t type, tos;
    } sent[CLIENT_WORLD_SENT_MAX];
};

/* `profile` is a .conf, or NULL for one whose server is at 192.0.2.2:51820.
 * %C in it is the client's private key, %S the server's public one. */
void client_world_open(struct client_world *w, const char *profile,
                       const uint8_t *server_psk);
void client_world_close(struct client_world *w);

void client_world_settle(struct client_world *w);
void client_world_wait(struct client_world *w, int64_t milliseconds);
/* A qube's packet; what became of it. False where seal() says no. */
bool client_world_send(struct client_world *w, const char *to, enum drop *out);
/* A packet of the server for a qube. */
void client_world_answer(struct client_world *w, const char *from);

struct protocol_status client_world_status(const struct client_world *w);
/* "" where nothing is waited for. */
const char *client_world_waiting(const struct client_world *w);
/* Initiations of the client since sent[first], and when the nth left, in ms
 * since `since`. */
unsigned client_world_initiations(const struct client_world *w, unsigned first);
int64_t client_world_initiation(const struct client_world *w, unsigned first,
                                unsigned n, struct instant since);

#endif
