/* On a clock of the test's own, with messages as the kernel writes them. */
#include "gateway/uplink/route_news.h"

#include "tests/unit.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

enum { CARD = 7, OTHER_CARD = 8, GOOD = IFF_UP | IFF_RUNNING };

union message {
    struct nlmsghdr header;
    char bytes[256];
};

static struct bytes whole(const union message *m)
{
    return bytes_of(m->bytes, m->header.nlmsg_len);
}

static void *begin(union message *m, uint16_t type, size_t header_size)
{
    memset(m, 0, sizeof *m);
    struct nlmsghdr *h = mnl_nlmsg_put_header(m->bytes);
    h->nlmsg_type = type;
    h->nlmsg_seq = 5;
    return mnl_nlmsg_put_extra_header(h, header_size);
}

static union message link_message(uint16_t type, int card, unsigned flags)
{
    union message m;
    struct ifinfomsg *link = begin(&m, type, sizeof *link);
    link->ifi_index = card;
    link->ifi_flags = flags;
    return m;
}

static union message address_gone(unsigned card, uint32_t address)
{
    union message m;
    struct address a = address_ipv4(address);
    struct ifaddrmsg *owner = begin(&m, RTM_DELADDR, sizeof *owner);
    owner->ifa_index = card;
    owner->ifa_family = AF_INET;
    mnl_attr_put(&m.header, IFA_LOCAL, 4, a.bytes);
    return m;
}

static union message route_message(uint32_t interface, uint32_t source)
{
    union message m;
    struct address a = address_ipv4(source);
    struct rtmsg *route = begin(&m, RTM_NEWROUTE, sizeof *route);
    route->rtm_family = AF_INET;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(&m.header, RTA_OIF, interface);
    mnl_attr_put(&m.header, RTA_PREFSRC, 4, a.bytes);
    return m;
}

static struct route_way way_by(uint32_t interface, uint32_t source)
{
    return (struct route_way){.interface = interface,
                              .source = address_ipv4(source)};
}

static struct instant at(int64_t milliseconds)
{
    return (struct instant){milliseconds * 1000};
}

static const struct route_way nowhere;

static struct route_news following(void)
{
    struct route_news n;
    struct route_way way = way_by(CARD, 0xc0000202);
    route_news_init(&n);
    route_news_follow(&n, &way);
    return n;
}

static void a_change_under_noise_is_told_in_a_tenth_of_a_second(void **state)
{
    (void)state;
    struct route_news n = following();
    struct route_way other = way_by(CARD, 0xc0000203);
    int64_t now = 0;
    assert_true(instant_is_never(route_news_deadline(&n)));
    for (; !instant_reached(at(now), route_news_deadline(&n)); now += 20) {
        assert_true(now <= 100);
        route_news_came(&n, at(now));
    }
    assert_int_equal(now, 100);
    assert_true(route_news_looked(&n, &other));
    /* And the noise goes on: looked up ten times a second at most. */
    assert_true(instant_is_never(route_news_deadline(&n)));
    route_news_came(&n, at(120));
    assert_int_equal(route_news_deadline(&n).us, at(220).us);
    assert_false(route_news_looked(&n, &other));
}

static void a_way_that_was_gone_is_told_when_it_is_back(void **state)
{
    (void)state;
    struct route_news n = following();
    struct route_way way = n.way;
    assert_false(route_news_looked(&n, &nowhere));
    assert_true(route_news_looked(&n, &way));
    assert_false(route_news_looked(&n, &way));
}

static void a_carrier_that_is_lost_is_waited_for(void **state)
{
    (void)state;
    struct route_news n = following();
    struct route_way way = n.way;
    union message lost = link_message(RTM_NEWLINK, CARD, IFF_UP);
    union message back = link_message(RTM_NEWLINK, CARD, GOOD);
    union message other = link_message(RTM_DELLINK, OTHER_CARD, 0);
    route_news_take(&n, whole(&other));
    assert_false(route_news_looked(&n, &way));
    route_news_take(&n, whole(&lost));
    assert_false(route_news_looked(&n, &way));
    route_news_take(&n, whole(&back));
    assert_true(route_news_looked(&n, &way));
}

static void an_address_that_went_and_came_is_a_change(void **state)
{
    (void)state;
    struct route_news n = following();
    struct route_way way = n.way;
    union message others = address_gone(CARD, 0xc0000277);
    union message elsewhere = address_gone(OTHER_CARD, 0xc0000202);
    union message ours = address_gone(CARD, 0xc0000202);
    route_news_take(&n, whole(&others));
    route_news_take(&n, whole(&elsewhere));
    assert_false(route_news_looked(&n, &way));
    route_news_take(&n, whole(&ours));
    assert_true(route_news_looked(&n, &way));
}

static void the_answer_is_that_of_the_question(void **state)
{
    (void)state;
    union message m = route_message(CARD, 0xc0000202);
    struct route_way way = {0};
    assert_false(route_news_answer(whole(&m), 4, &way));
    assert_int_equal(way.interface, 0);
    assert_true(route_news_answer(whole(&m), 5, &way));
    assert_int_equal(way.interface, CARD);
    assert_int_equal(address_to_ipv4(&way.source), 0xc0000202);
    assert_false(address_is_set(&way.gateway));
}

static void a_cut_message_says_nothing(void **state)
{
    (void)state;
    const union message messages[] = {
        route_message(CARD, 0xc0000202),
        link_message(RTM_DELLINK, CARD, 0),
        address_gone(CARD, 0xc0000202),
    };
    for (size_t i = 0; i < 3; i++) {
        for (size_t size = 0; size < messages[i].header.nlmsg_len; size++) {
            struct route_news n = following();
            struct route_way way = {0};
            uint8_t *copy = exact_copy(messages[i].bytes, size);
            route_news_take(&n, bytes_of(copy, size));
            assert_false(n.broken);
            assert_false(route_news_answer(bytes_of(copy, size), 5, &way));
            free(copy);
        }
    }
}

static void no_length_leads_out_of_the_buffer(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0,          15,         0x100,
                                       0x7fffffff, 0x8e000034, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        union message m = link_message(RTM_DELLINK, CARD, 0);
        size_t size = m.header.nlmsg_len;
        struct route_news n = following();
        struct route_way way = {0};
        m.header.nlmsg_len = lengths[i];
        uint8_t *copy = exact_copy(m.bytes, size);
        route_news_take(&n, bytes_of(copy, size));
        assert_false(n.broken);
        assert_false(route_news_answer(bytes_of(copy, size), 5, &way));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_under_noise_is_told_in_a_tenth_of_a_second),
        cmocka_unit_test(a_way_that_was_gone_is_told_when_it_is_back),
        cmocka_unit_test(a_carrier_that_is_lost_is_waited_for),
        cmocka_unit_test(an_address_that_went_and_came_is_a_change),
        cmocka_unit_test(the_answer_is_that_of_the_question),
        cmocka_unit_test(a_cut_message_says_nothing),
        cmocka_unit_test(no_length_leads_out_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
