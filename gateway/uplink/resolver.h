/* Host names of servers to addresses, asynchronously, by the gateway VM's own
 * resolvers (c-ares). The last good answer is kept for a reconnect. */
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

/* One question at a time. `family` ADDRESS_NONE asks for both. */
void resolver_ask(struct resolver *r, struct instant now, const char *host,
                  enum address_family family, resolver_answer *answer,
                  void *context);
void resolver_cancel(struct resolver *r);

#endif
