#include "gateway/uplink/route_watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"

enum {
    BUFFER_SIZE = 32768,
    MESSAGES_MOST = 64, /* in one turn of the loop */
};

static const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                               RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
                               RTMGRP_IPV6_ROUTE;

/* All zero: there is none. */
struct way {
    uint32_t interface;
    struct address source, gateway; /* may be unset */
};

struct route_watch {
    struct loop *loop;
    struct route_watch_owner owner;
    struct mnl_socket *news, *questions;
    struct loop_watch watch;
    struct loop_timer settle;
    bool settling;
    struct address server; /* unset: anywhere */
    struct way way;        /* as it was when we looked */
    bool still;            /* its interface is down or has no carrier */
    bool broken;           /* it was gone at some time since */
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

/* By type; NULL for what is absent. IFA_ types are among these. */
struct attributes {
    const struct nlattr *of[RTA_MAX + 1];
};

static int keep_attribute(const struct nlattr *attribute, void *context)
{
    struct attributes *a = context;
    uint16_t type = mnl_attr_get_type(attribute);
    if (type <= RTA_MAX)
        a->of[type] = attribute;
    return MNL_CB_OK;
}

/* The attributes behind a header of that size. */
static struct attributes attributes_of(const struct nlmsghdr *message,
                                       unsigned header_size)
{
    struct attributes a = {{NULL}};
    (void)mnl_attr_parse(message, header_size, keep_attribute, &a);
    return a;
}

/* Unset if the attribute does not hold one. */
static struct address address_of(const struct nlattr *attribute, uint8_t family)
{
    enum address_family ours = family == AF_INET6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    if (!attribute || mnl_attr_get_payload_len(attribute) != address_size(ours))
        return (struct address){0};
    return address_from_bytes(ours, mnl_attr_get_payload(attribute));
}

static void read_route(const struct nlmsghdr *message, struct way *out)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof *route ||
        (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL))
        return;
    struct attributes a = attributes_of(message, sizeof *route);
    const struct nlattr *interface = a.of[RTA_OIF];
    if (!interface || mnl_attr_get_payload_len(interface) != sizeof(uint32_t))
        return;
    *out = (struct way){
        .interface = mnl_attr_get_u32(interface),
        .source = address_of(a.of[RTA_PREFSRC], route->rtm_family),
        .gateway = address_of(a.of[RTA_GATEWAY], route->rtm_family),
    };
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
static struct way look_up_one(struct route_watch *w, const struct address *to)
{
    struct way way = {0};
    ssize_t size;
    if (!ask(w, to))
        return way;
    while ((size = mnl_socket_recvfrom(w->questions, w->buffer.bytes,
                                       sizeof w->buffer)) > 0) {
        const struct nlmsghdr *message = &w->buffer.first;
        int left = (int)size;
        for (; mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_seq == w->sequence &&
                message->nlmsg_type == RTM_NEWROUTE)
                read_route(message, &way);
        }
    }
    return way;
}

static struct way look_up(struct route_watch *w)
{
    /* Addresses of nobody (RFC 2544, RFC 5180): where they would go, goes
     * everything that has no way of its own. */
    static const uint8_t nobody4[4] = {198, 18, 0, 1};
    static const uint8_t nobody6[16] = {0x20, 0x01, 0x00, 0x02, [15] = 1};
    struct address to;
    struct way way;

    if (address_is_set(&w->server))
        return look_up_one(w, &w->server);
    to = address_from_bytes(ADDRESS_IPV4, nobody4);
    way = look_up_one(w, &to);
    if (way.interface)
        return way;
    to = address_from_bytes(ADDRESS_IPV6, nobody6);
    return look_up_one(w, &to);
}

static bool same(const struct way *a, const struct way *b)
{
    return a->interface == b->interface &&
           address_equal(&a->source, &b->source) &&
           address_equal(&a->gateway, &b->gateway);
}

/* --- News ---------------------------------------------------------------- */

/* A route stays where the carrier is lost. */
static void take_link(struct route_watch *w, const struct nlmsghdr *message)
{
    enum { GOOD = IFF_UP | IFF_RUNNING };
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof *link ||
        (uint32_t)link->ifi_index != w->way.interface)
        return;
    w->still =
        message->nlmsg_type == RTM_DELLINK || (link->ifi_flags & GOOD) != GOOD;
    w->broken = w->broken || w->still;
}

static bool takes_address(const struct route_watch *w,
                          const struct nlmsghdr *message)
{
    const struct ifaddrmsg *owner = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof *owner ||
        owner->ifa_index != w->way.interface)
        return false;
    struct attributes a = attributes_of(message, sizeof *owner);
    const struct nlattr *local = a.of[IFA_LOCAL];
    struct address gone =
        address_of(local ? local : a.of[IFA_ADDRESS], owner->ifa_family);
    return address_is_set(&gone) && address_equal(&gone, &w->way.source);
}

static void take_news(struct route_watch *w, const struct nlmsghdr *message)
{
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        take_link(w, message);
        break;
    case RTM_DELADDR:
        w->broken = w->broken || takes_address(w, message);
        break;
    default:
        break;
    }
}

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
        const struct nlmsghdr *message = &w->buffer.first;
        int left = size > 0 ? (int)size : 0;
        for (; mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left))
            take_news(w, message);
    }
    /* Not put off again by more of them. */
    if (!w->settling)
        loop_timer_set(&w->settle, instant_after(now, duration_milliseconds(
                                                          ROUTE_WATCH_SETTLE)));
}

static void look_again(struct route_watch *w)
{
    struct way way = look_up(w);
    if (way.interface != w->way.interface)
        w->still = false;
    if (!same(&way, &w->way) || !way.interface)
        w->broken = true;
    w->way = way;
}

static void settled(void *context, struct instant now)
{
    struct route_watch *w = context;
    w->settling = false;
    look_again(w);
    if (!w->broken || w->still || !w->way.interface)
        return;
    w->broken = false;
    w->owner.changed(w->owner.context, now);
}

void route_watch_follow(struct route_watch *w, const struct address *server)
{
    w->server = *server;
    look_again(w);
    w->broken = w->still || !w->way.interface;
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
