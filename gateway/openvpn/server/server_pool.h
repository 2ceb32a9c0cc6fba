/*
 * The addresses that clients get: one number a client, which stands for an IPv4
 * and an IPv6 address. A client that was here before gets the same one again as
 * long as no one else has it, and it goes to another name only when there is no
 * other left.
 */
#ifndef OPENVPN_SERVER_SERVER_POOL_H
#define OPENVPN_SERVER_SERVER_POOL_H

#include "gateway/base/siphash.h"
#include "gateway/openvpn/server_config/server_config.h"

struct server_place {
    void *owner;   /* NULL: free */
    char *name;    /* owned: of who had it last, or NULL */
    uint64_t hash; /* of the name; 0: nobody had it yet */
    uint64_t left; /* when, counted in departures */
};

struct server_pool {
    uint32_t first;            /* IPv4, host order */
    uint32_t step;             /* from one's to the next one's */
    struct address ipv6_first; /* family NONE: none */
    uint32_t count;
    uint32_t touched; /* from there on nobody ever had one */
    uint64_t departures;
    struct siphash_key key; /* of names */
    struct server_place *places;
};

MUST_USE bool server_pool_init(struct server_pool *p,
                               const struct server_config *config,
                               const struct siphash_key *key);
void server_pool_clear(struct server_pool *p);

/* `name` of who asks, or NULL if it is not to be known again. False if all are
 * taken. */
MUST_USE bool server_pool_take(struct server_pool *p, const char *name,
                               void *owner, uint32_t *number);
/* Takes that very number. False if somebody has it. */
MUST_USE bool server_pool_take_number(struct server_pool *p, uint32_t number,
                                      const char *name, void *owner);
/* As if that client had been here before; nothing if it is no address of the
 * pool. */
void server_pool_remember(struct server_pool *p, const char *name,
                          const struct address *ipv4);
void server_pool_give(struct server_pool *p, uint32_t number);

struct address server_pool_ipv4(const struct server_pool *p, uint32_t number);
struct address server_pool_ipv6(const struct server_pool *p, uint32_t number);
/* The number of an IPv4 address; false if it is none of the pool's. */
MUST_USE bool server_pool_number(const struct server_pool *p,
                                 const struct address *ipv4, uint32_t *number);

#endif
