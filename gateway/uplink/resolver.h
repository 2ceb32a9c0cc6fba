/*
 * Host names of servers to addresses, asynchronously, by the gateway VM's own
 * resolvers (c-ares). The last good answer is kept for a reconnect: where the
 * resolvers fail or are slow, it is given instead.
 *
 * Each question reads /etc/resolv.conf, /etc/hosts and /etc/nsswitch.conf
 * anew, so that a change of the network needs no restart. Addresses come in
 * the order of RFC 6724: those the system has no route to are last.
 */
#ifndef UPLINK_RESOLVER_H
#define UPLINK_RESOLVER_H

#include "gateway/base/address.h"
#include "gateway/base/error.h"
#include "gateway/event/loop.h"

enum { RESOLVER_ADDRESSES_MAX = 16 };

struct resolver; /* heap */

/* `count` 0: `why` says what went wrong. Not called after resolver_cancel().
 * May be called from inside resolver_ask() for literal addresses. */
typedef void resolver_answer(void *context, struct instant now,
                             const struct address *addresses, size_t count,
                             const char *why);

struct resolver *resolver_new(struct loop *loop);
void resolver_free(struct resolver *r);

/* Other servers than the system's ("127.0.0.1:5353", comma between; NULL for
 * the system's), and how long to wait where no earlier answer is known. From
 * the next question on. */
void resolver_configure(struct resolver *r, const char *servers,
                        struct duration patience);

/* One question at a time: another one cancels it. `family` ADDRESS_NONE asks
 * for both. */
void resolver_ask(struct resolver *r, struct instant now, const char *host,
                  enum address_family family, resolver_answer *answer,
                  void *context);
void resolver_cancel(struct resolver *r);

enum { RESOLVER_WAITING_SIZE = 512 };
/* Tells a person which name is being looked up, where and for how long. False
 * if none is. */
bool resolver_waiting(const struct resolver *r, struct instant now,
                      char out[RESOLVER_WAITING_SIZE]);

#endif
