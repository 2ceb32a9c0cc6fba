/* A server's plain socket on the loopback of the test's own namespace. */
#include "gateway/base/log.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/tcp.h"
#include "tests/namespace.h"
#include "tests/unit.h"

#include <arpa/inet.h>

enum { RECEIVED_MAX = 2048, BYTES_MAX = 8 << 20 };

struct fixture {
    struct loop *loop;
    struct loop_timer end;
    struct uplink *uplink;
    struct endpoint server;
    int listener;
    int peer;            /* the server's end of the connection */
    struct burst *burst; /* to send; owns its memory */
    int connected;
    int failed;
    char why[256];
    bool close_when_connected, close_when_received, close_when_failed;
    unsigned received_calls;
    unsigned count; /* of packets that came in */
    uint16_t sizes[RECEIVED_MAX];
    uint8_t *bytes; /* of them, in order */
    size_t total;
};

static struct fixture fixture;

static void close_uplink(struct fixture *f)
{
    f->uplink->kind->close(f->uplink);
    f->uplink = NULL;
}

static void connected(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    f->connected++;
    if (f->close_when_connected)
        close_uplink(f);
}

static void failed(void *context, struct instant now, const char *why)
{
    struct fixture *f = context;
    (void)now;
    f->failed++;
    snprintf(f->why, sizeof f->why, "%s", why);
    if (f->close_when_failed)
        close_uplink(f);
}

static void received(void *context, struct instant now, struct burst *burst)
{
    struct fixture *f = context;
    (void)now;
    f->received_calls++;
    if (f->close_when_received)
        close_uplink(f);
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        assert_true(f->count < RECEIVED_MAX);
        f->sizes[f->count++] = d->size;
        memcpy(f->bytes + f->total, d->data, d->size);
        f->total += d->size;
    }
}

static const struct uplink_owner owner = {
    .context = &fixture,
    .connected = connected,
    .failed = failed,
    .received = received,
};

static void quit(void *context, struct instant now)
{
    struct fixture *f = context;
    (void)now;
    loop_quit(f->loop);
}

static void turn_a_while(struct fixture *f)
{
    loop_timer_set(&f->end,
                   instant_after(loop_now(f->loop), duration_milliseconds(10)));
    assert_int_equal(loop_run(f->loop), OK);
}

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
    struct timeval patience = {.tv_usec = 500000};
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
    f->uplink = tcp_open(&f->server, proxy, f->loop, &owner, &error);
    assert_non_null(f->uplink);
    assert_int_equal(f->connected, 0);
    turn_a_while(f);
    accept_peer(f);
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    *f = (struct fixture){.loop = loop_new(), .listener = -1, .peer = -1};
    f->bytes = malloc(BYTES_MAX);
    f->burst = malloc(sizeof *f->burst);
    assert_true(f->bytes && f->burst && f->loop);
    assert_true(burst_init(f->burst, 2 << 20));
    f->end = (struct loop_timer){.expired = quit, .context = f};
    loop_add_timer(f->loop, &f->end);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->uplink)
        close_uplink(f);
    if (f->listener >= 0)
        close(f->listener);
    if (f->peer >= 0)
        close(f->peer);
    loop_free(f->loop);
    burst_clear(f->burst);
    free(f->burst);
    free(f->bytes);
    return 0;
}

/* A datagram of that size, filled with its number. */
static void add(struct burst *burst, uint16_t size, bool of_a_qube)
{
    static const struct burst_layout bare;
    uint8_t number = (uint8_t)burst->count;
    struct datagram *d = burst_reserve(burst, &bare, size);
    assert_non_null(d);
    memset(d->data, number, size);
    if (!of_a_qube)
        d->inner_size = 0;
}

static void send_all(struct fixture *f)
{
    f->uplink->kind->send(f->uplink, f->burst);
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
        turn_a_while(f); /* what is queued wants to be sent */
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
    turn_a_while(f);
    assert_int_equal(recv(f->peer, &byte, 1, MSG_DONTWAIT), -1);
}

static void peer_says(struct fixture *f, const void *data, size_t size)
{
    assert_int_equal(send(f->peer, data, size, 0), size);
    turn_a_while(f);
}

/* --- Plain --- */

static void it_tells_when_it_stands(void **state)
{
    struct fixture *f = *state;
    open_pair(f, NULL, 0);
    assert_int_equal(f->connected, 1);
    assert_int_equal(f->uplink->overhead, 42);
    assert_true(f->uplink->mtu >= 65535);
    assert_string_equal(f->uplink->kind->name, "tcp");
}

static void ipv6_has_its_own_overhead(void **state)
{
    struct fixture *f = *state;
    struct address address =
        address_from_bytes(ADDRESS_IPV6, in6addr_loopback.s6_addr);
    enum error error;
    listen_at(f, &address, 0);
    f->uplink = tcp_open(&f->server, NULL, f->loop, &owner, &error);
    turn_a_while(f);
    assert_int_equal(f->connected, 1);
    assert_int_equal(f->uplink->overhead, 62);
}

static void packets_go_both_ways(void **state)
{
    struct fixture *f = *state;
    static const uint8_t two[] = {0, 2, 'a', 'b', 0, 1, 'c'};
    open_pair(f, NULL, 0);
    for (uint16_t i = 0; i < BURST_DATAGRAMS_MAX; i++)
        add(f->burst, (uint16_t)(1 + i % 200), true);
    f->burst->datagrams[7].drop = DROP_SEAL_LIMIT;
    send_all(f);
    expect_at_server(f, f->burst);
    expect_nothing_more(f);
    peer_says(f, two, sizeof two);
    assert_int_equal(f->count, 2);
    assert_memory_equal(f->bytes, "abc", 3);
    assert_int_equal(f->received_calls, 1);
}

static void packets_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    static const uint8_t stream[] = {0, 3, 'a', 'b', 'c', 0, 1, 'd'};
    open_pair(f, NULL, 0);
    for (size_t i = 0; i < sizeof stream; i++) {
        peer_says(f, stream + i, 1);
        assert_int_equal(f->count, (i >= 4) + (i >= 7));
    }
    assert_memory_equal(f->bytes, "abcd", 4);
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
        burst_reset(f->burst);
        for (int i = 0; i < 60; i++)
            add(f->burst, 1400, true);
        send_all(f);
        sent[n] = *f->burst;
        for (int i = 0; i < 60; i++) {
            memset(fill + used, i, 1400);
            sent[n].datagrams[i].data = fill + used;
            used += 1400;
        }
        if (n % 8 == 0)
            turn_a_while(f);
    }
    uint64_t busy = f->uplink->drops.count[DROP_UPLINK_BUSY];
    assert_true(busy > 0);
    burst_reset(f->burst);
    add(f->burst, 99, false); /* control still finds room */
    send_all(f);
    assert_int_equal(f->burst->datagrams[0].drop, DROP_NONE);
    struct burst last = *f->burst;
    uint64_t dropped = 0;
    for (int n = 0; n < 40; n++) {
        expect_at_server(f, &sent[n]);
        for (int i = 0; i < 60; i++)
            dropped += sent[n].datagrams[i].drop == DROP_UPLINK_BUSY;
    }
    expect_at_server(f, &last);
    expect_nothing_more(f);
    assert_int_equal(dropped, busy);
    assert_int_equal(f->failed, 0);

    /* And it is as fast as ever again. */
    burst_reset(f->burst);
    add(f->burst, 50, true);
    send_all(f);
    expect_at_server(f, f->burst);
}

/* --- Ends --- */

static void nobody_listening_is_told(void **state)
{
    struct fixture *f = *state;
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, 0);
    close(f->listener);
    f->listener = -1;
    f->close_when_failed = true;
    f->uplink = tcp_open(&f->server, NULL, f->loop, &owner, &error);
    assert_non_null(f->uplink);
    assert_int_equal(f->failed, 0);
    turn_a_while(f);
    assert_int_equal(f->failed, 1);
    assert_string_equal(f->why, "Connection refused");
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
    f->uplink = tcp_open(&nowhere, NULL, f->loop, &owner, &error);
    log_set_sink(NULL, NULL);
    assert_null(f->uplink);
    assert_int_not_equal(error, OK);
}

static void what_is_sent_before_it_stands_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, 0);
    f->uplink = tcp_open(&f->server, NULL, f->loop, &owner, &error);
    add(f->burst, 5, false);
    send_all(f);
    assert_int_equal(f->burst->datagrams[0].drop, DROP_UPLINK_ERROR);
}

static void the_servers_end_is_told(void **state)
{
    struct fixture *f = *state;
    static const uint8_t last[] = {0, 1, 'x', 0};
    open_pair(f, NULL, 0);
    send(f->peer, last, sizeof last, 0);
    close(f->peer);
    f->peer = -1;
    turn_a_while(f);
    turn_a_while(f);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->failed, 1);
    assert_string_equal(f->why, "the server closed the connection");
    /* Once, and whatever is sent now is dropped. */
    turn_a_while(f);
    add(f->burst, 5, true);
    send_all(f);
    assert_int_equal(f->burst->datagrams[0].drop, DROP_UPLINK_ERROR);
    assert_int_equal(f->failed, 1);
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
    f->close_when_failed = true;
    turn_a_while(f);
    assert_int_equal(f->failed, 1);
    assert_string_equal(f->why, "Connection reset by peer");
    assert_null(f->uplink);
}

/* Seen first by send(): its owner is told later, from the loop. */
static void a_reset_under_a_send_is_told_from_the_loop(void **state)
{
    struct fixture *f = *state;
    open_pair(f, NULL, 0);
    reset_peer(f);
    add(f->burst, 5, true);
    send_all(f);
    assert_int_equal(f->burst->datagrams[0].drop, DROP_UPLINK_ERROR);
    assert_int_equal(f->failed, 0);
    f->close_when_failed = true;
    turn_a_while(f);
    assert_int_equal(f->failed, 1);
    assert_string_equal(f->why, "Connection reset by peer");
}

static void a_stream_without_packets_is_a_failure(void **state)
{
    struct fixture *f = *state;
    static const uint8_t stream[] = "\0\1xHTTP/1.1 400 Bad request";
    open_pair(f, NULL, 0);
    peer_says(f, stream, sizeof stream - 1);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->failed, 1);
    assert_non_null(strstr(f->why, "no OpenVPN over TCP"));
}

static void it_may_be_closed_from_inside_connected(void **state)
{
    struct fixture *f = *state;
    f->close_when_connected = true;
    open_pair(f, NULL, 0);
    assert_int_equal(f->connected, 1);
    assert_null(f->uplink);
}

static void it_may_be_closed_from_inside_received(void **state)
{
    struct fixture *f = *state;
    static uint8_t many[3 * (BURST_DATAGRAMS_MAX + 9)];
    open_pair(f, NULL, 0);
    for (size_t i = 0; i < sizeof many; i += 3)
        many[i + 1] = 1;
    f->close_when_received = true;
    peer_says(f, many, sizeof many);
    assert_int_equal(f->received_calls, 1);
    assert_null(f->uplink);
}

static void it_may_be_closed_before_it_stands(void **state)
{
    struct fixture *f = *state;
    struct address address = loopback();
    enum error error;
    listen_at(f, &address, 0);
    f->uplink = tcp_open(&f->server, NULL, f->loop, &owner, &error);
    close_uplink(f);
    turn_a_while(f);
    assert_int_equal(f->connected + f->failed, 0);
}

/* --- Proxies --- */

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
    assert_int_equal(f->connected, 0);
    expect_connect_request(f);
    peer_says(f, "HTTP/1.1 200 OK\r\nVia", 20);
    assert_int_equal(f->connected, 0);
    /* The server was quick: its packet, and the start of one, are there. */
    peer_says(f, ": x\r\n\r\n\0\2ab\0", 12);
    assert_int_equal(f->connected, 1);
    assert_int_equal(f->count, 1);
    peer_says(f, "\1c", 2);
    assert_int_equal(f->count, 2);
    assert_memory_equal(f->bytes, "abc", 3);
    add(f->burst, 5, true);
    send_all(f);
    expect_at_server(f, f->burst);
}

static void an_http_proxys_refusal_is_told(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &http, 0);
    f->close_when_failed = true;
    peer_says(f, "HTTP/1.1 403 Forbidden\r\n\r\n", 26);
    assert_int_equal(f->failed, 1);
    assert_string_equal(f->why, "the HTTP proxy refuses: 403 Forbidden");
}

/* 407 and away, before the header's end. */
static void a_proxy_that_hangs_up_is_told_with_its_reason(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &http, 0);
    expect_connect_request(f);
    peer_says(f, "HTTP/1.1 407 Who?\r\n", 19);
    assert_int_equal(f->failed, 0);
    close(f->peer);
    f->peer = -1;
    turn_a_while(f);
    assert_int_equal(f->failed, 1);
    assert_non_null(strstr(f->why, "wants a name and a password"));
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
    assert_int_equal(f->connected, 1);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->bytes[0], 'z');
}

static void an_answer_before_the_question_is_none(void **state)
{
    struct fixture *f = *state;
    open_pair(f, &socks, 0);
    f->close_when_failed = true;
    /* Method, login's status and reply in one: we have asked for none. */
    peer_says(f, "\5\2\1\0\5\0\0\1\300\0\2\1\0\1", 14);
    assert_int_equal(f->connected, 0);
    assert_int_equal(f->failed, 1);
    assert_non_null(strstr(f->why, "before it has heard"));
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
