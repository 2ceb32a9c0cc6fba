/*
 * The way to one peer: the servers that it may be found at, their addresses,
 * and which of them is tried. An address is left after three initiations
 * without an answer; after the last of a server the next one's name is looked
 * up, or the same one's again.
 */
#ifndef WIREGUARD_CLIENT_PEER_WAY_H
#define WIREGUARD_CLIENT_PEER_WAY_H

#include "gateway/base/instant.h"
#include "gateway/vpn/protocol.h"

enum { PEER_WAY_ADDRESSES_MAX = 8, PEER_WAY_TRIES = 3 };

struct peer_way {
    const struct protocol_server *servers; /* borrowed */
    size_t server_count;                   /* 0: the peer speaks first */
    size_t server;                         /* the one in turn */
    size_t address_count, address;
    struct address addresses[PEER_WAY_ADDRESSES_MAX];
    bool asking;     /* its name is being looked up */
    uint64_t base;   /* initiations sent before this address was tried */
    uint64_t rounds; /* times that all were tried in vain */
};

void peer_way_init(struct peer_way *w, const struct protocol_server *servers,
                   size_t server_count);

/* The server in turn. */
const struct protocol_server *peer_way_server(const struct peer_way *w);
/* The address to send to: false while none is known. */
MUST_USE bool peer_way_place(const struct peer_way *w, struct endpoint *out);

/* The server in turn: false where its name has to be looked up first. */
MUST_USE bool peer_way_begin(struct peer_way *w);
void peer_way_resolved(struct peer_way *w, const struct address *addresses,
                       size_t count);
/* Goes on to the next address or server; false as peer_way_begin() does. */
MUST_USE bool peer_way_next(struct peer_way *w);

/* So many initiations were sent to it, and it has been heard or is new. */
void peer_way_count_from(struct peer_way *w, uint64_t initiations);
/* So many were sent by now: are they enough? */
bool peer_way_tried(const struct peer_way *w, uint64_t initiations);

#endif
