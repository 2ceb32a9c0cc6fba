/*
 * The logins that wait for a verdict about a password: a bounded number, of one
 * address so many at most, and one of each address in turn. An address that
 * floods the server with logins waits behind itself; others wait for one of its
 * logins at a time.
 *
 * Some places are for clients that are in and negotiate new keys. They come
 * first: whoever is up shall not be cut off by strangers.
 *
 * Decides and does nothing; what is to be done for a place is its owner's.
 */
#ifndef SERVE_LOGIN_QUEUE_H
#define SERVE_LOGIN_QUEUE_H

#include "gateway/base/address.h"

enum {
    LOGIN_QUEUE_PLACES = 64,
    LOGIN_QUEUE_RESERVE = 16, /* of these, for who is in */
    LOGIN_QUEUE_OF_ONE = 16,  /* address; a company may have one only */
};

struct login_queue_place {
    bool taken;
    bool waits; /* its turn has not come yet */
    bool again; /* the client is in */
    struct address from;
    uint64_t turn; /* 0: another one of its address goes before */
    uint64_t came;
};

/* All zeros: empty. */
struct login_queue {
    struct login_queue_place places[LOGIN_QUEUE_PLACES];
    uint64_t turns, arrivals;
};

/* Takes a place. False if there is none for that address. */
MUST_USE bool login_queue_put(struct login_queue *q, const struct address *from,
                              bool again, size_t *place);
/* The login whose turn it is; it keeps its place. False if nobody waits. */
MUST_USE bool login_queue_next(struct login_queue *q, size_t *place);
/* It has its verdict. */
void login_queue_give(struct login_queue *q, size_t place);

#endif
