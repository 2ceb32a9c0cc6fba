#include "gateway/uplink/route_watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/uplink/route_news.h"

enum {
    BUFFER_SIZE = 32768,
    MESSAGES_MOST = 64, /* in one turn of the loop */
};

static const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                               RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
                               RTMGRP_IPV6_ROUTE;

struct route_watch {
    struct loop *loop;
    struct route_watch_owner owner;
    struct mnl_socket *news, *questions;
    struct loop_watch watch;
    struct loop_timer settle;
    struct address server; /* unset: anywhere */
    struct route_news known;
    uint32_t sequence;
    union {
        struct nlmsghdr first;
        char bytes[BUFFER_SIZE];
    } buffer;
};

/* --- The kernel's answer ------------------------------------------------- */

static uint8_t kernel_family(enum address_family family)
{
    return family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;
}

static bool ask(struct route_watch *w, const struct address *to)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(w->buffer.bytes);
    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST;
    message->nlmsg_seq = ++w->sequence;
    struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof *route);
    route->rtm_family = kernel_family(to->family);
    route->rtm_dst_len = (uint8_t)(8 * address_size(to->family));
    mnl_attr_put(message, RTA_DST, address_size(to->family), to->bytes);
    return mnl_socket_sendto(w->questions, message, message->nlmsg_len) >= 0;
}

/* The kernel answers while it is asked. An error is an answer: no way. */
static struct route_way look_up_one(struct route_watch *w,
                                    const struct address *to)
{
    struct route_way way = {0};
    ssize_t size;
    if (!ask(w, to))
        return way;
    while ((size = mnl_socket_recvfrom(w->questions, w->buffer.bytes,
                                       sizeof w->buffer)) > 0)
        (void)route_news_answer(bytes_of(w->buffer.bytes, (size_t)size),
                                w->sequence, &way);
    return way;
}

static struct route_way look_up(struct route_watch *w)
{
    /* Addresses of nobody (RFC 2544, RFC 5180): where they would go, goes
     * everything that has no way of its own. */
    static const uint8_t nobody4[4] = {198, 18, 0, 1};
    static const uint8_t nobody6[16] = {0x20, 0x01, 0x00, 0x02, [15] = 1};
    struct address to;
    struct route_way way;

    if (address_is_set(&w->server))
        return look_up_one(w, &w->server);
    to = address_from_bytes(ADDRESS_IPV4, nobody4);
    way = look_up_one(w, &to);
    if (way.interface)
        return way;
    to = address_from_bytes(ADDRESS_IPV6, nobody6);
    return look_up_one(w, &to);
}

/* --- News ---------------------------------------------------------------- */

static void on_news(void *context, struct instant now, unsigned events)
{
    struct route_watch *w = context;
    (void)events;
    for (int i = 0; i < MESSAGES_MOST; i++) {
        ssize_t size =
            mnl_socket_recvfrom(w->news, w->buffer.bytes, sizeof w->buffer);
        if (size < 0 && errno == EAGAIN)
            break;
        /* Too many for us (ENOBUFS): what they said is looked up. */
        if (size > 0)
            route_news_take(&w->known, bytes_of(w->buffer.bytes, (size_t)size));
    }
    route_news_came(&w->known, now);
    loop_timer_set(&w->settle, route_news_deadline(&w->known));
}

static void settled(void *context, struct instant now)
{
    struct route_watch *w = context;
    struct route_way way = look_up(w);
    if (route_news_looked(&w->known, &way))
        w->owner.changed(w->owner.context, now);
}

void route_watch_follow(struct route_watch *w, const struct address *server)
{
    w->server = *server;
    struct route_way way = look_up(w);
    route_news_follow(&w->known, &way);
}

/* --- Opening and closing ------------------------------------------------- */

static struct mnl_socket *open_socket(unsigned subscriptions)
{
    struct mnl_socket *s =
        mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (s && mnl_socket_bind(s, subscriptions, MNL_SOCKET_AUTOPID) < 0) {
        int number = errno;
        mnl_socket_close(s);
        errno = number;
        return NULL;
    }
    return s;
}

struct route_watch *route_watch_open(struct loop *loop,
                                     const struct route_watch_owner *owner)
{
    struct route_watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->loop = loop;
    w->owner = *owner;
    route_news_init(&w->known);
    w->settle = (struct loop_timer){INSTANT_NEVER, settled, w, NULL};
    loop_add_timer(loop, &w->settle);
    w->questions = open_socket(0);
    w->news = w->questions ? open_socket(groups) : NULL;
    if (w->news)
        w->watch = (struct loop_watch){mnl_socket_get_fd(w->news), on_news, w};
    if (!w->news || loop_add(loop, &w->watch, LOOP_READ) != OK) {
        log_warn("uplink: no news of interfaces: %s", strerror(errno));
        w->watch.ready = NULL;
        route_watch_close(w);
        return NULL;
    }
    route_watch_follow(w, &(struct address){0});
    return w;
}

void route_watch_close(struct route_watch *w)
{
    if (!w)
        return;
    if (w->watch.ready)
        loop_remove(w->loop, &w->watch);
    if (w->news)
        mnl_socket_close(w->news);
    if (w->questions)
        mnl_socket_close(w->questions);
    loop_remove_timer(w->loop, &w->settle);
    free(w);
}
