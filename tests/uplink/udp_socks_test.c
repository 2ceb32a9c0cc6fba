/* The test is the SOCKS proxy and its relay, on the loopback of its own
 * namespace. */
#include "gateway/uplink/proxy_socks.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/udp_socks.h"
#include "tests/namespace.h"
#include "tests/unit.h"
#include "tests/uplink/owner.h"

#include <arpa/inet.h>

struct fixture {
    struct owner owner;
    int listener, proxy, relay;
    uint16_t relay_port;
};

static struct fixture fixture;

static const struct proxy numbered = {
    .kind = PROXY_SOCKS, .host = "192.0.2.9", .port = 1194};
static const struct proxy named = {
    .kind = PROXY_SOCKS, .host = "vpn.example", .port = 1194};
static const uint8_t numbered_header[] = {0, 0, 0, 1, 192, 0, 2, 9, 4, 0xaa};

/* A socket on the loopback; its port. */
static int bound_socket(int type, uint16_t *port)
{
    union socket_name name;
    struct endpoint any = {address_ipv4(INADDR_LOOPBACK), 0};
    socklen_t size = socket_name_of(&any, &name);
    struct timeval patience = {.tv_sec = 30};
    int fd = socket(AF_INET, type, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(bind(fd, &name.any, size), 0);
    assert_int_equal(getsockname(fd, &name.any, &size), 0);
    *port = ntohs(name.ipv4.sin_port);
    return fd;
}

/* As far as the proxy's reply, which is yet to be sent. */
static void open_to_proxy(struct fixture *f, const struct proxy *proxy)
{
    struct endpoint peer = {address_ipv4(INADDR_LOOPBACK), 0};
    uint8_t heard[16];
    enum error error;
    f->listener = bound_socket(SOCK_STREAM, &peer.port);
    assert_int_equal(listen(f->listener, 1), 0);
    f->relay = bound_socket(SOCK_DGRAM, &f->relay_port);
    f->owner.uplink = udp_socks_open(&peer, proxy, f->owner.loop,
                                     &f->owner.callbacks, &error);
    assert_non_null(f->owner.uplink);
    owner_turn(&f->owner);
    f->proxy = accept(f->listener, NULL, NULL);
    assert_int_equal(recv(f->proxy, heard, sizeof heard, 0), 3);
    assert_int_equal(send(f->proxy, "\5\0", 2, 0), 2);
    owner_turn(&f->owner);
    assert_int_equal(recv(f->proxy, heard, sizeof heard, 0), 10);
    assert_int_equal(heard[1], PROXY_SOCKS_UDP_ASSOCIATE);
}

static void reply(struct fixture *f, uint32_t address)
{
    uint8_t answer[10] = {5, 0, 0, 1};
    store_u32(answer + 4, address);
    store_u16(answer + 8, f->relay_port);
    assert_int_equal(send(f->proxy, answer, sizeof answer, 0), sizeof answer);
    owner_turn(&f->owner);
}

static void open_all(struct fixture *f, const struct proxy *proxy)
{
    open_to_proxy(f, proxy);
    assert_int_equal(f->owner.connected, 0);
    reply(f, INADDR_LOOPBACK);
    assert_int_equal(f->owner.connected, !f->owner.failed);
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    *f = (struct fixture){.listener = -1, .proxy = -1, .relay = -1};
    owner_init(&f->owner);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    owner_clear(&f->owner);
    if (f->proxy >= 0)
        close(f->proxy);
    close(f->listener);
    close(f->relay);
    return 0;
}

static void expect_at_relay(struct fixture *f, struct bytes header)
{
    static uint8_t data[UINT16_MAX];
    for (uint16_t i = 0; i < f->owner.burst->count; i++) {
        const struct datagram *d = &f->owner.burst->datagrams[i];
        if (d->drop != DROP_NONE)
            continue;
        ssize_t got = recv(f->relay, data, sizeof data, 0);
        assert_int_equal(got, header.size + d->size);
        assert_memory_equal(data, header.data, header.size);
        assert_memory_equal(data + header.size, d->data, d->size);
    }
    assert_int_equal(recv(f->relay, data, sizeof data, MSG_DONTWAIT), -1);
}

/* Learns our address, so that the relay can answer. */
static void greet(struct fixture *f)
{
    union socket_name name;
    socklen_t size = sizeof name;
    uint8_t data[64];
    burst_reset(f->owner.burst);
    owner_add(&f->owner, 1);
    owner_send(&f->owner);
    burst_reset(f->owner.burst);
    assert_true(recvfrom(f->relay, data, sizeof data, 0, &name.any, &size) > 0);
    assert_int_equal(connect(f->relay, &name.any, size), 0);
}

static void relay_says(struct fixture *f, const void *datagram, size_t size)
{
    assert_int_equal(send(f->relay, datagram, size, 0), size);
}

static void datagrams_go_out_behind_their_header(void **state)
{
    struct fixture *f = *state;
    open_all(f, &numbered);
    assert_int_equal(f->owner.uplink->overhead, 20 + 8 + 10);
    assert_true(f->owner.uplink->mtu > 1000);
    for (int i = 0; i < 100; i++) /* runs, and what is none */
        owner_add(&f->owner, (uint16_t)(i < 70 ? 1400 : 100 + i));
    f->owner.burst->datagrams[5].drop = DROP_SEAL_LIMIT;
    owner_send(&f->owner);
    for (int i = 0; i < 100; i++)
        assert_int_equal(f->owner.burst->datagrams[i].drop,
                         i == 5 ? DROP_SEAL_LIMIT : DROP_NONE);
    expect_at_relay(f, bytes_of(numbered_header, sizeof numbered_header));
}

static void a_name_is_in_the_header(void **state)
{
    struct fixture *f = *state;
    static const uint8_t header[] = "\0\0\0\3\13vpn.example\4\xaa";
    open_all(f, &named);
    assert_int_equal(f->owner.uplink->overhead, 20 + 8 + 18);
    owner_add(&f->owner, 300);
    owner_add(&f->owner, 300);
    owner_send(&f->owner);
    expect_at_relay(f, bytes_of(header, sizeof header - 1));
}

static void what_no_datagram_holds_is_too_big(void **state)
{
    struct fixture *f = *state;
    open_all(f, &numbered);
    owner_add(&f->owner, 65507 - 9);
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[0].drop, DROP_UPLINK_TOO_BIG);
    assert_int_equal(f->owner.uplink->drops.count[DROP_UPLINK_TOO_BIG], 1);
}

static void answers_lose_their_header(void **state)
{
    struct fixture *f = *state;
    open_all(f, &numbered);
    greet(f);
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xaaone", 13);
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xaatwo!", 14);
    /* A name for where they are from proves nothing, and need not. */
    relay_says(f, "\0\0\0\3\1x\0\1three", 13);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 3);
    assert_memory_equal(f->owner.bytes, "onetwo!three", 12);
    assert_int_equal(f->owner.total, 12);
}

static void strangers_and_fragments_are_not_heard(void **state)
{
    struct fixture *f = *state;
    open_all(f, &numbered);
    greet(f);
    relay_says(f, "\0\0\0\1\300\0\2\10\4\xaaone", 13); /* another address */
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xabone", 13); /* another port */
    relay_says(f, "\0\0\1\1\300\0\2\11\4\xaaone", 13); /* a fragment */
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xaa", 10);    /* empty */
    relay_says(f, "\0\0\0\1\300", 5);                  /* cut */
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xaaokay", 14);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 1);
    assert_memory_equal(f->owner.bytes, "okay", 4);
    assert_int_equal(f->owner.uplink->drops.count[DROP_NOT_FROM_SERVER], 5);
}

/* Only the proxy knows where the server is. */
static void the_source_is_not_judged_where_there_is_a_name(void **state)
{
    struct fixture *f = *state;
    open_all(f, &named);
    greet(f);
    relay_says(f, "\0\0\0\1\300\0\2\10\4\xaaone", 13);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 1);
}

static void a_relay_without_an_address_is_the_proxys(void **state)
{
    struct fixture *f = *state;
    open_to_proxy(f, &numbered);
    reply(f, 0);
    assert_int_equal(f->owner.connected, 1);
    owner_add(&f->owner, 10);
    owner_send(&f->owner);
    expect_at_relay(f, bytes_of(numbered_header, sizeof numbered_header));
}

static void the_relay_ends_with_the_connection(void **state)
{
    struct fixture *f = *state;
    open_all(f, &numbered);
    assert_int_equal(send(f->proxy, "noise", 5, 0), 5);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 0);
    close(f->proxy);
    f->proxy = -1;
    f->owner.close_when_failed = true;
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 1);
    assert_string_equal(f->owner.why, "the SOCKS proxy closed the connection");
}

static void a_refusal_is_told(void **state)
{
    struct fixture *f = *state;
    open_to_proxy(f, &numbered);
    f->owner.close_when_failed = true;
    assert_int_equal(send(f->proxy, "\5\7\0\1\0\0\0\0\0\0", 10, 0), 10);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 1);
    assert_non_null(strstr(f->owner.why, "does not know this command"));
}

static void before_there_is_a_relay_nothing_is_sent(void **state)
{
    struct fixture *f = *state;
    open_to_proxy(f, &numbered);
    owner_add(&f->owner, 10);
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[0].drop, DROP_UPLINK_ERROR);
}

static void it_may_be_closed_from_inside(void **state)
{
    struct fixture *f = *state;
    f->owner.close_when_connected = true;
    open_all(f, &numbered);
    assert_null(f->owner.uplink);
}

static void it_may_be_closed_while_receiving(void **state)
{
    struct fixture *f = *state;
    open_all(f, &numbered);
    greet(f);
    f->owner.close_when_received = true;
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xaaone", 13);
    relay_says(f, "\0\0\0\1\300\0\2\11\4\xaatwo", 13);
    owner_turn(&f->owner);
    assert_null(f->owner.uplink);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(datagrams_go_out_behind_their_header),
        TEST(a_name_is_in_the_header),
        TEST(what_no_datagram_holds_is_too_big),
        TEST(answers_lose_their_header),
        TEST(strangers_and_fragments_are_not_heard),
        TEST(the_source_is_not_judged_where_there_is_a_name),
        TEST(a_relay_without_an_address_is_the_proxys),
        TEST(the_relay_ends_with_the_connection),
        TEST(a_refusal_is_told),
        TEST(before_there_is_a_relay_nothing_is_sent),
        TEST(it_may_be_closed_from_inside),
        TEST(it_may_be_closed_while_receiving),
    };
    if (!namespace_enter_new())
        return namespace_skip("udp_socks needs root or user namespaces");
    namespace_run("ip link set lo up");
    return cmocka_run_group_tests_name("udp_socks", tests, NULL, NULL);
}
