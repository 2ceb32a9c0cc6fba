/*
 * The addresses that clients get: one number a client, which stands for an
 * IPv4 and an IPv6 address. Who was here before gets the same one again as
 * long as no one else has it, and it goes to another name only when there is
 * no other left.
 */
#ifndef OPENVPN_SERVER_POOL_H
#define OPENVPN_SERVER_POOL_H

#include "gateway/openvpn/server_config.h"

enum { SERVER_POOL_MAX = 65000 }; /* fits behind IPv6's 16 bits */

struct server_place {
    void *owner;   /* NULL: free */
    uint64_t name; /* of who had it last; 0: nobody yet */
    uint64_t left; /* when, counted in departures */
};

struct server_pool {
    uint32_t first;      /* IPv4, host order */
    struct prefix ipv6;  /* family NONE: none */
    uint32_t ipv6_first; /* in its last 32 bits */
    uint32_t count;
    uint64_t departures;
    struct server_place *places;
};

MUST_USE bool server_pool_init(struct server_pool *p,
                               const struct server_config *config);
void server_pool_clear(struct server_pool *p);

/* `name`: a hash of who asks, not 0. False if all are taken. */
MUST_USE bool server_pool_take(struct server_pool *p, uint64_t name,
                               void *owner, uint32_t *number);
void server_pool_give(struct server_pool *p, uint32_t number);

struct address server_pool_ipv4(const struct server_pool *p, uint32_t number);
struct address server_pool_ipv6(const struct server_pool *p, uint32_t number);
/* The owner of an address, or NULL. */
void *server_pool_owner(const struct server_pool *p,
                        const struct address *address);

#endif
