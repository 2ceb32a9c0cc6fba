/* A server's plain socket on the loopback of the test's own namespace. */
#include "gateway/base/log.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/tcp.h"
#include "tests/namespace.h"
#include "tests/unit.h"
#include "tests/uplink/owner.h"

#include <arpa/inet.h>

struct fixture {
    struct owner owner;
    struct endpoint server;
    int listener;
    int peer; /* the server's end of the connection */
};

static struct fixture fixture;

/* A listening socket on a port of the system's choice. */
static void listen_at(struct fixture *f, const struct address *address,
                      int buffer)
{
    union socket_name name;
    f->server = (struct endpoint){.address = *address};
    socklen_t size = socket_name_of(&f->server, &name);
    f->listener = socket(name.any.sa_family, SOCK_STREAM, 0);
    if (buffer)
        setsockopt(f->listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    assert_int_equal(bind(f->listener, &name.any, size), 0);
    assert_int_equal(listen(f->listener, 1), 0);
    assert_int_equal(getsockname(f->listener, &name.any, &size), 0);
    f->server.port = ntohs(name.ipv4.sin_port);
}

static struct address loopback(void)
{
    return address_ipv4(INADDR_LOOPBACK);
}

static void accept_peer(struct fixture *f)
{
    struct timeval patience = {.tv_sec = 30};
    f->peer = accept(f->listener, NULL, NULL);
    assert_true(f->peer >= 0);
    setsockopt(f->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

/* `buffer`: the server's, 0: as usual. */
static void open_pair(struct fixture *f, const struct proxy *proxy, int buffer)
{
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, buffer);
    f->owner.uplink =
        tcp_open(&f->server, proxy, f->owner.loop, &f->owner.callbacks, &error);
    assert_non_null(f->owner.uplink);
    assert_int_equal(f->owner.connected, 0);
    owner_turn(&f->owner);
    accept_peer(f);
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    *f = (struct fixture){.listener = -1, .peer = -1};
    owner_init(&f->owner);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    owner_clear(&f->owner);
    if (f->listener >= 0)
        close(f->listener);
    if (f->peer >= 0)
        close(f->peer);
    return 0;
}

static void read_exactly(struct fixture *f, uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(f->peer, out, size, MSG_DONTWAIT);
        if (n > 0) {
            out += n;
            size -= (size_t)n;
            continue;
        }
        assert_int_equal(errno, EAGAIN);
        owner_turn(&f->owner); /* what is queued wants to be sent */
    }
}

/* The server gets just the datagrams of the burst that were not dropped. */
static void expect_at_server(struct fixture *f, const struct burst *burst)
{
    static uint8_t data[UINT16_MAX + 2];
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        if (d->drop != DROP_NONE)
            continue;
        read_exactly(f, data, 2 + (size_t)d->size);
        assert_int_equal(load_u16(data), d->size);
        assert_memory_equal(data + 2, d->data, d->size);
    }
}

static void expect_nothing_more(struct fixture *f)
{
    uint8_t byte;
    owner_turn(&f->owner);
    assert_int_equal(recv(f->peer, &byte, 1, MSG_DONTWAIT), -1);
}

static void peer_says(struct fixture *f, const void *data, size_t size)
{
    assert_int_equal(send(f->peer, data, size, 0), size);
    owner_turn(&f->owner);
}

/* --- Plain --------------------------------------------------------------- */

static void it_tells_when_it_stands(void **state)
{
    struct fixture *f = *state;
    open_pair(f, NULL, 0);
    assert_int_equal(f->owner.connected, 1);
    assert_int_equal(f->owner.uplink->overhead, 42);
    assert_true(f->owner.uplink->mtu >= 65535);
    assert_string_equal(f->owner.uplink->kind->name, "tcp");
}

static void ipv6_has_its_own_overhead(void **state)
{
    struct fixture *f = *state;
    struct address address =
        address_from_bytes(ADDRESS_IPV6, in6addr_loopback.s6_addr);
    enum error error;
    listen_at(f, &address, 0);
    f->owner.uplink =
        tcp_open(&f->server, NULL, f->owner.loop, &f->owner.callbacks, &error);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.connected, 1);
    assert_int_equal(f->owner.uplink->overhead, 62);
}

static void packets_go_both_ways(void **state)
{
    struct fixture *f = *state;
    static const uint8_t two[] = {0, 2, 'a', 'b', 0, 1, 'c'};
    open_pair(f, NULL, 0);
    for (uint16_t i = 0; i < BURST_DATAGRAMS_MAX; i++)
        owner_add(&f->owner, (uint16_t)(1 + i % 200));
    f->owner.burst->datagrams[7].drop = DROP_SEAL_LIMIT;
    owner_send(&f->owner);
    expect_at_server(f, f->owner.burst);
    expect_nothing_more(f);
    peer_says(f, two, sizeof two);
    assert_int_equal(f->owner.count, 2);
    assert_memory_equal(f->owner.bytes, "abc", 3);
    assert_int_equal(f->owner.received_calls, 1);
}

static void packets_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    static const uint8_t stream[] = {0, 3, 'a', 'b', 'c', 0, 1, 'd'};
    open_pair(f, NULL, 0);
    for (size_t i = 0; i < sizeof stream; i++) {
        peer_says(f, stream + i, 1);
        assert_int_equal(f->owner.count, (i >= 4) + (i >= 7));
    }
    assert_memory_equal(f->owner.bytes, "abcd", 4);
}

/* A server that does not read: what is dropped is dropped whole, what was
 * begun arrives, and order is kept. */
static void a_slow_server_gets_whole_packets(void **state)
{
    struct fixture *f = *state;
    static struct burst sent[40];
    static uint8_t fill[40 * 60 * 1400];
    size_t used = 0;
    open_pair(f, NULL, 4096);
    for (int n = 0; n < 40; n++) {
        burst_reset(f->owner.burst);
        for (int i = 0; i < 60; i++)
            owner_add(&f->owner, 1400);
        owner_send(&f->owner);
        sent[n] = *f->owner.burst;
        for (int i = 0; i < 60; i++) {
            memset(fill + used, i, 1400);
            sent[n].datagrams[i].data = fill + used;
            used += 1400;
        }
        if (n % 8 == 0)
            owner_turn(&f->owner);
    }
    uint64_t busy = f->owner.uplink->drops.count[DROP_UPLINK_BUSY];
    assert_true(busy > 0);
    burst_reset(f->owner.burst);
    owner_add(&f->owner, 99)->inner_size = 0; /* control still finds room */
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[0].drop, DROP_NONE);
    struct burst last = *f->owner.burst;
    uint64_t dropped = 0;
    for (int n = 0; n < 40; n++) {
        expect_at_server(f, &sent[n]);
        for (int i = 0; i < 60; i++)
            dropped += sent[n].datagrams[i].drop == DROP_UPLINK_BUSY;
    }
    expect_at_server(f, &last);
    expect_nothing_more(f);
    assert_int_equal(dropped, busy);
    assert_int_equal(f->owner.failed, 0);

    /* And it is as fast as ever again. */
    burst_reset(f->owner.burst);
    owner_add(&f->owner, 50);
    owner_send(&f->owner);
    expect_at_server(f, f->owner.burst);
}

/* --- Ends ---------------------------------------------------------------- */

static void nobody_listening_is_told(void **state)
{
    struct fixture *f = *state;
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, 0);
    close(f->listener);
    f->listener = -1;
    f->owner.close_when_failed = true;
    f->owner.uplink =
        tcp_open(&f->server, NULL, f->owner.loop, &f->owner.callbacks, &error);
    assert_non_null(f->owner.uplink);
    assert_int_equal(f->owner.failed, 0);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 1);
    assert_string_equal(f->owner.why, "Connection refused");
}

static void no_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void no_way_at_all_is_an_error_at_once(void **state)
{
    struct fixture *f = *state;
    struct endpoint nowhere = {address_ipv4(0xc0000201), 1194};
    enum error error = OK;
    log_set_sink(no_line, NULL);
    f->owner.uplink =
        tcp_open(&nowhere, NULL, f->owner.loop, &f->owner.callbacks, &error);
    log_set_sink(NULL, NULL);
    assert_null(f->owner.uplink);
    assert_int_not_equal(error, OK);
}

static void what_is_sent_before_it_stands_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, 0);
    f->owner.uplink =
        tcp_open(&f->server, NULL, f->owner.loop, &f->owner.callbacks, &error);
    owner_add(&f->owner, 5)->inner_size = 0;
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[0].drop, DROP_UPLINK_ERROR);
}

static void the_servers_end_is_told(void **state)
{
    struct fixture *f = *state;
    static const uint8_t last[] = {0, 1, 'x', 0};
    open_pair(f, NULL, 0);
    send(f->peer, last, sizeof last, 0);
    close(f->peer);
    f->peer = -1;
    owner_turn(&f->owner);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 1);
    assert_int_equal(f->owner.failed, 1);
    assert_string_equal(f->owner.why, "the server closed the connection");
    /* Once, and whatever is sent now is dropped. */
    owner_turn(&f->owner);
    owner_add(&f->owner, 5);
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[0].drop, DROP_UPLINK_ERROR);
    assert_int_equal(f->owner.failed, 1);
}

static void reset_peer(struct fixture *f)
{
    struct linger at_once = {1, 0};
    setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(f->peer);
    f->peer = -1;
}

static void a_reset_is_told(void **state)
{
    struct fixture *f = *state;
    open_pair(f, NULL, 0);
    reset_peer(f);
    f->owner.close_when_failed = true;
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 1);
    assert_string_equal(f->owner.why, "Connection reset by peer");
    assert_null(f->owner.uplink);
}

/* Seen first by send(): its owner is told later, from the loop. */
static void a_reset_under_a_send_is_told_from_the_loop(void **state)
{
    struct fixture *f = *state;
    open_pair(f, NULL, 0);
    reset_peer(f);
    owner_add(&f->owner, 5);
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[0].drop, DROP_UPLINK_ERROR);
    assert_int_equal(f->owner.failed, 0);
    f->owner.close_when_failed = true;
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 1);
    assert_string_equal(f->owner.why, "Connection reset by peer");
}

static void a_stream_without_packets_is_a_failure(void **state)
{
    struct fixture *f = *state;
    static const uint8_t stream[] = "\0\1xHTTP/1.1 400 Bad request";
    open_pair(f, NULL, 0);
    peer_says(f, stream, sizeof stream - 1);
    assert_int_equal(f->owner.count, 1);
    assert_int_equal(f->owner.failed, 1);
    assert_non_null(strstr(f->owner.why, "no OpenVPN over TCP"));
}

static void it_may_be_closed_from_inside_connected(void **state)
{
    struct fixture *f = *state;
    f->owner.close_when_connected = true;
    open_pair(f, NULL, 0);
    assert_int_equal(f->owner.connected, 1);
    assert_null(f->owner.uplink);
}

static void it_may_be_closed_from_inside_received(void **state)
{
    struct fixture *f = *state;
    static uint8_t many[3 * (BURST_DATAGRAMS_MAX + 9)];
    open_pair(f, NULL, 0);
    for (size_t i = 0; i < sizeof many; i += 3)
        many[i + 1] = 1;
    f->owner.close_when_received = true;
    peer_says(f, many, sizeof many);
    assert_int_equal(f->owner.received_calls, 1);
    assert_null(f->owner.uplink);
}

static void it_may_be_closed_before_it_stands(void **state)
{
    struct fixture *f = *state;
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, 0);
    f->owner.uplink =
        tcp_open(&f->server, NULL, f->owner.loop, &f->owner.callbacks, &error);
    owner_close(&f->owner);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.connected + f->owner.failed, 0);
}

/* --- Proxies ------------------------------------------------------------- */

static const struct proxy http = {
    .kind = PROXY_HTTP, .host = "vpn.example", .port = 443};
static const struct proxy socks = {.kind = PROXY_SOCKS,
                                   .host = "vpn.example",
                                   .port = 443,
                                   .username = "u",
                                   .password = "p"};

static void expect_bytes(struct fixture *f, const void *expected, size_t size)
{
    uint8_t data[512];
    ssize_t n = recv(f->peer, data, sizeof data, MSG_DONTWAIT);
    assert_true(n > 0);
    assert_bytes_equal(bytes_of(data, (size_t)n), bytes_of(expected, size));
}

static void expect_connect_request(struct fixture *f)
{
    static const char request[] = "CONNECT vpn.example:443 HTTP/1.0\r\n"
                                  "Host: vpn.example:443\r\n\r\n";
    expect_bytes(f, request, sizeof request - 1);
}

static void an_http_proxy_leads_to_the_server(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &http, 0);
    assert_int_equal(f->owner.connected, 0);
    expect_connect_request(f);
    peer_says(f, "HTTP/1.1 200 OK\r\nVia", 20);
    assert_int_equal(f->owner.connected, 0);
    /* The server was quick: its packet, and the start of one, are there. */
    peer_says(f, ": x\r\n\r\n\0\2ab\0", 12);
    assert_int_equal(f->owner.connected, 1);
    assert_int_equal(f->owner.count, 1);
    peer_says(f, "\1c", 2);
    assert_int_equal(f->owner.count, 2);
    assert_memory_equal(f->owner.bytes, "abc", 3);
    owner_add(&f->owner, 5);
    owner_send(&f->owner);
    expect_at_server(f, f->owner.burst);
}

static void an_http_proxys_refusal_is_told(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &http, 0);
    f->owner.close_when_failed = true;
    peer_says(f, "HTTP/1.1 403 Forbidden\r\n\r\n", 26);
    assert_int_equal(f->owner.failed, 1);
    assert_string_equal(f->owner.why, "the HTTP proxy refuses: 403 Forbidden");
}

/* 407 and away, before the header's end. */
static void a_proxy_that_hangs_up_is_told_with_its_reason(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &http, 0);
    expect_connect_request(f);
    peer_says(f, "HTTP/1.1 407 Who?\r\n", 19);
    assert_int_equal(f->owner.failed, 0);
    close(f->peer);
    f->peer = -1;
    owner_turn(&f->owner);
    assert_int_equal(f->owner.failed, 1);
    assert_non_null(strstr(f->owner.why, "wants a name and a password"));
}

static void a_socks_proxy_leads_to_the_server(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &socks, 0);
    expect_bytes(f, "\5\2\0\2", 4);
    peer_says(f, "\5\2", 2);
    expect_bytes(f, "\1\1u\1p", 5);
    peer_says(f, "\1\0", 2);
    expect_bytes(f, "\5\1\0\3\13vpn.example\1\xbb", 18);
    peer_says(f, "\5\0\0\1\300\0\2\1\0\1\0\1z", 13);
    assert_int_equal(f->owner.connected, 1);
    assert_int_equal(f->owner.count, 1);
    assert_int_equal(f->owner.bytes[0], 'z');
}

static void an_answer_before_the_question_is_none(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &socks, 0);
    f->owner.close_when_failed = true;
    /* Method, login's status and reply in one: we have asked for none. */
    peer_says(f, "\5\2\1\0\5\0\0\1\300\0\2\1\0\1", 14);
    assert_int_equal(f->owner.connected, 0);
    assert_int_equal(f->owner.failed, 1);
    assert_non_null(strstr(f->owner.why, "before it has heard"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_tells_when_it_stands),
        TEST(ipv6_has_its_own_overhead),
        TEST(packets_go_both_ways),
        TEST(packets_come_in_pieces),
        TEST(a_slow_server_gets_whole_packets),
        TEST(nobody_listening_is_told),
        TEST(no_way_at_all_is_an_error_at_once),
        TEST(what_is_sent_before_it_stands_is_dropped),
        TEST(the_servers_end_is_told),
        TEST(a_reset_is_told),
        TEST(a_reset_under_a_send_is_told_from_the_loop),
        TEST(a_stream_without_packets_is_a_failure),
        TEST(it_may_be_closed_from_inside_connected),
        TEST(it_may_be_closed_from_inside_received),
        TEST(it_may_be_closed_before_it_stands),
        TEST(an_http_proxy_leads_to_the_server),
        TEST(an_http_proxys_refusal_is_told),
        TEST(a_proxy_that_hangs_up_is_told_with_its_reason),
        TEST(a_socks_proxy_leads_to_the_server),
        TEST(an_answer_before_the_question_is_none),
    };
    if (!namespace_enter_new())
        return namespace_skip("tcp needs root or user namespaces");
    namespace_run("ip link set lo up");
    return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
