/* In a network namespace of its own: a card with another at its far end. */
#include "gateway/uplink/route_watch.h"

#include "tests/turn.h"

#include "gateway/base/log.h"
#include "gateway/uplink/route_news.h"
#include "tests/namespace.h"

struct fixture {
    struct loop *loop;
    struct route_watch *watch;
    unsigned changed;
};

static void on_changed(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->changed++;
}

/* Long enough for news to settle. */
static void turn(struct fixture *f)
{
    enum { LONG_ENOUGH = 2 * ROUTE_NEWS_SETTLE };
    f->changed = 0;
    turn_for(f->loop, LONG_ENOUGH);
}

/* However busy the machine is. How often it was told, with some time for once
 * more. */
static unsigned turn_until_changed(struct fixture *f)
{
    enum { PATIENCE = 300 };
    unsigned changed = 0;
    for (int i = 0; i < PATIENCE && changed == 0; i++) {
        turn(f);
        changed += f->changed;
    }
    turn(f);
    return changed + f->changed;
}

static void quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void add_card(const char *address)
{
    namespace_run("ip link add card type veth peer name far");
    namespace_run("ip link set far up");
    namespace_run("ip address add %s/24 dev card", address);
    namespace_run("ip link set card up");
    namespace_run("ip route add default via 192.0.2.1");
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct route_watch_owner owner = {f, on_changed};
    log_set_sink(quiet, NULL);
    add_card("192.0.2.2");
    f->loop = loop_new();
    f->watch = route_watch_open(f->loop, &owner);
    assert_non_null(f->watch);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    route_watch_close(f->watch);
    loop_free(f->loop);
    log_set_sink(NULL, NULL);
    free(f);
    if (system("ip link del card 2>/dev/null; ip link del other 2>/dev/null"))
        errno = 0; /* not each test leaves both */
    return 0;
}

static void follow(struct fixture *f, uint32_t server)
{
    struct address address = address_ipv4(server);
    turn(f); /* news of what was set up */
    route_watch_follow(f->watch, &address);
}

static const uint32_t far_away = 0xc6336450; /* 198.51.100.80 */

static void other_cards_and_routes_are_nothing(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip link add other type veth peer name elsewhere");
    namespace_run("ip link set other up; ip link set elsewhere up");
    namespace_run("ip address add 203.0.113.2/24 dev other");
    namespace_run("ip route add 203.0.113.128/25 dev other");
    namespace_run("ip address add 192.0.2.77/24 dev card");
    namespace_run("ip address del 192.0.2.77/24 dev card");
    namespace_run("ip link del other");
    turn(f);
    assert_int_equal(f->changed, 0);
}

static void a_card_that_went_and_came_is_told_once(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip link set card down");
    turn(f);
    assert_int_equal(f->changed, 0);
    namespace_run("ip link set card up; ip route add default via 192.0.2.1");
    assert_int_equal(turn_until_changed(f), 1);
    turn(f);
    assert_int_equal(f->changed, 0);
}

static void even_if_it_is_back_before_anybody_looks(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip link set card down; ip link set card up; "
                  "ip route add default via 192.0.2.1");
    assert_int_equal(turn_until_changed(f), 1);
}

/* The kernel takes up to a second to tell of carriers. */
static unsigned turn_long(struct fixture *f)
{
    unsigned changed = 0;
    for (int i = 0; i < 8; i++) {
        turn(f);
        changed += f->changed;
    }
    return changed;
}

static void a_lost_carrier_counts_when_it_is_back(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip link set far down");
    assert_int_equal(turn_long(f), 0);
    namespace_run("ip link set far up");
    assert_int_equal(turn_until_changed(f), 1);
}

static void a_card_replaced_by_another_is_told(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip link del card");
    turn(f);
    assert_int_equal(f->changed, 0);
    add_card("192.0.2.2");
    assert_int_equal(turn_until_changed(f), 1);
}

static void another_address_is_another_way(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip address add 192.0.2.3/24 dev card");
    namespace_run("ip route replace default via 192.0.2.1 src 192.0.2.3");
    assert_int_equal(turn_until_changed(f), 1);
    namespace_run("ip address del 192.0.2.2/24 dev card");
    namespace_run("ip address add 192.0.2.4/24 dev card");
    namespace_run("ip route replace default via 192.0.2.1 src 192.0.2.4");
    assert_int_equal(turn_until_changed(f), 1);
}

static void another_gateway_is_another_way(void **state)
{
    struct fixture *f = *state;
    follow(f, far_away);
    namespace_run("ip route replace default via 192.0.2.9");
    assert_int_equal(turn_until_changed(f), 1);
    /* Not for who goes another way. */
    follow(f, 0xc0000209);
    namespace_run("ip route replace default via 192.0.2.1");
    turn(f);
    assert_int_equal(f->changed, 0);
}

static void without_a_server_any_way_is_waited_for(void **state)
{
    struct fixture *f = *state;
    turn(f);
    namespace_run("ip route del default");
    turn(f);
    assert_int_equal(f->changed, 0);
    namespace_run("ip route add default via 192.0.2.1");
    assert_int_equal(turn_until_changed(f), 1);
}

static void a_way_of_ipv6_is_one(void **state)
{
    struct fixture *f = *state;
    struct address server;
    assert_true(address_parse(bytes_of_text("2001:db8::1"), &server));
    namespace_run("ip address add 2001:db8::2/64 dev card nodad");
    turn(f);
    route_watch_follow(f->watch, &server);
    turn(f);
    assert_int_equal(f->changed, 0);
    namespace_run("ip address del 2001:db8::2/64 dev card");
    turn(f);
    assert_int_equal(f->changed, 0);
    namespace_run("ip address add 2001:db8::2/64 dev card nodad");
    assert_int_equal(turn_until_changed(f), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(other_cards_and_routes_are_nothing),
        TEST(a_card_that_went_and_came_is_told_once),
        TEST(even_if_it_is_back_before_anybody_looks),
        TEST(a_lost_carrier_counts_when_it_is_back),
        TEST(a_card_replaced_by_another_is_told),
        TEST(another_address_is_another_way),
        TEST(another_gateway_is_another_way),
        TEST(without_a_server_any_way_is_waited_for),
        TEST(a_way_of_ipv6_is_one),
    };
    if (!namespace_enter_new())
        return namespace_skip("no network namespaces");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
