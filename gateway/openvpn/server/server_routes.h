/*
 * Finds the client that a destination lies behind: each has its own addresses
 * and what `iroute' gives it; the longest prefix decides. One lookup costs a
 * hash for each length of prefix that there is.
 */
#ifndef OPENVPN_SERVER_SERVER_ROUTES_H
#define OPENVPN_SERVER_SERVER_ROUTES_H

#include "gateway/base/address.h"
#include "gateway/base/siphash.h"

struct server_route {
    struct prefix prefix;
    void *owner;
    struct server_route *next_in_bucket, *next_of_owner;
};

struct server_routes {
    struct siphash_key key;
    struct server_route **buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t count, wide;  /* of them, more than one address */
    /* How many there are of each length, and which lengths there are, the
     * longest first; IPv4 and IPv6. */
    uint32_t used[2][129];
    uint8_t lengths[2][129];
    uint8_t length_count[2];
};

/* For about so many routes; more make it slower. */
MUST_USE bool server_routes_init(struct server_routes *r, uint32_t count,
                                 const struct siphash_key *key);
/* All routes were removed before. */
void server_routes_clear(struct server_routes *r);

/* Adds to what the owner has in `list`. False, and it stays as it is, if
 * somebody has exactly that prefix, or memory is short. */
MUST_USE bool server_routes_add(struct server_routes *r,
                                const struct prefix *prefix, void *owner,
                                struct server_route **list);
/* All of `list`. */
void server_routes_remove(struct server_routes *r, struct server_route **list);

/* NULL if it is nobody's. */
void *server_routes_find(const struct server_routes *r,
                         const struct address *address);

#endif
