/*
 * Reads the kernel's messages (NETLINK_ROUTE) about the route to the server,
 * and says when to ask for it again. No socket and no clock:
 *
 *   news -> route_news_take, route_news_came
 *   at route_news_deadline() -> the kernel is asked -> route_news_answer
 *   its answer -> route_news_looked: true if the way is another
 */
#ifndef UPLINK_ROUTE_NEWS_H
#define UPLINK_ROUTE_NEWS_H

#include "gateway/base/address.h"
#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

enum { ROUTE_NEWS_SETTLE = 100 /* ms; several news are one change */ };

/* All zero: there is none. */
struct route_way {
    uint32_t interface;
    struct address source, gateway; /* may be unset */
};

struct route_news {
    struct route_way way;  /* as it was looked up last */
    bool still;            /* its interface is down or has no carrier */
    bool broken;           /* it was gone at some time since it was followed */
    struct instant settle; /* when to look it up; NEVER without news */
};

void route_news_init(struct route_news *n);

/* From now on it is about this way. */
void route_news_follow(struct route_news *n, const struct route_way *way);

/* Messages of the kernel, aligned as it gives them. */
void route_news_take(struct route_news *n, struct bytes messages);
/* There was news, of whatever kind. The first one sets the time of the next
 * look; those behind it do not put it off. */
void route_news_came(struct route_news *n, struct instant now);
struct instant route_news_deadline(const struct route_news *n);

/* The kernel's answer to the question with this number. False, with *way as it
 * was, where it has none. */
bool route_news_answer(struct bytes messages, uint32_t sequence,
                       struct route_way *way);
/* The way as it is now. True if it is usable, and another than before or was
 * gone in the meantime. */
MUST_USE bool route_news_looked(struct route_news *n,
                                const struct route_way *way);

#endif
