#include "gateway/uplink/route_news.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

/* --- The kernel's messages ----------------------------------------------- */

/* Takes the next message off the front. mnl_nlmsg_ok() compares lengths as
 * signed numbers and believes one of more than 2 GiB. */
static const struct nlmsghdr *next_message(struct bytes *messages)
{
    const struct nlmsghdr *message = (const void *)messages->data;
    if (messages->size < sizeof *message ||
        message->nlmsg_len < sizeof *message ||
        message->nlmsg_len > messages->size)
        return NULL;
    size_t step = NLMSG_ALIGN((size_t)message->nlmsg_len);
    if (step > messages->size)
        step = messages->size;
    *messages = bytes_of(messages->data + step, messages->size - step);
    return message;
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

static bool read_route(const struct nlmsghdr *message, struct route_way *out)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof *route ||
        (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL))
        return false;
    struct attributes a = attributes_of(message, sizeof *route);
    const struct nlattr *interface = a.of[RTA_OIF];
    if (!interface || mnl_attr_get_payload_len(interface) != sizeof(uint32_t))
        return false;
    *out = (struct route_way){
        .interface = mnl_attr_get_u32(interface),
        .source = address_of(a.of[RTA_PREFSRC], route->rtm_family),
        .gateway = address_of(a.of[RTA_GATEWAY], route->rtm_family),
    };
    return true;
}

bool route_news_answer(struct bytes messages, uint32_t sequence,
                       struct route_way *way)
{
    const struct nlmsghdr *message;
    bool found = false;
    while ((message = next_message(&messages))) {
        if (message->nlmsg_seq == sequence &&
            message->nlmsg_type == RTM_NEWROUTE)
            found = read_route(message, way) || found;
    }
    return found;
}

/* A route stays where the carrier is lost. */
static void take_link(struct route_news *n, const struct nlmsghdr *message)
{
    enum { GOOD = IFF_UP | IFF_RUNNING };
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof *link ||
        (uint32_t)link->ifi_index != n->way.interface)
        return;
    n->still =
        message->nlmsg_type == RTM_DELLINK || (link->ifi_flags & GOOD) != GOOD;
    n->broken = n->broken || n->still;
}

static bool takes_address(const struct route_news *n,
                          const struct nlmsghdr *message)
{
    const struct ifaddrmsg *owner = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof *owner ||
        owner->ifa_index != n->way.interface)
        return false;
    struct attributes a = attributes_of(message, sizeof *owner);
    const struct nlattr *local = a.of[IFA_LOCAL];
    struct address gone =
        address_of(local ? local : a.of[IFA_ADDRESS], owner->ifa_family);
    return address_is_set(&gone) && address_equal(&gone, &n->way.source);
}

void route_news_take(struct route_news *n, struct bytes messages)
{
    const struct nlmsghdr *message;
    while ((message = next_message(&messages))) {
        switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
            take_link(n, message);
            break;
        case RTM_DELADDR:
            n->broken = n->broken || takes_address(n, message);
            break;
        default:
            break;
        }
    }
}

/* --- Deciding ------------------------------------------------------------ */

void route_news_init(struct route_news *n)
{
    *n = (struct route_news){.settle = INSTANT_NEVER};
}

void route_news_came(struct route_news *n, struct instant now)
{
    if (instant_is_never(n->settle))
        n->settle =
            instant_after(now, duration_milliseconds(ROUTE_NEWS_SETTLE));
}

struct instant route_news_deadline(const struct route_news *n)
{
    return n->settle;
}

static bool same(const struct route_way *a, const struct route_way *b)
{
    return a->interface == b->interface &&
           address_equal(&a->source, &b->source) &&
           address_equal(&a->gateway, &b->gateway);
}

static void compare(struct route_news *n, const struct route_way *way)
{
    if (way->interface != n->way.interface)
        n->still = false;
    if (!same(way, &n->way) || !way->interface)
        n->broken = true;
    n->way = *way;
}

void route_news_follow(struct route_news *n, const struct route_way *way)
{
    compare(n, way);
    n->broken = n->still || !n->way.interface;
}

bool route_news_looked(struct route_news *n, const struct route_way *way)
{
    n->settle = INSTANT_NEVER;
    compare(n, way);
    if (!n->broken || n->still || !n->way.interface)
        return false;
    n->broken = false;
    return true;
}
