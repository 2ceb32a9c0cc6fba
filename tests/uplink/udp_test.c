/* A server's plain socket on the loopback of the test's own namespace. */
#include "gateway/base/log.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/udp.h"
#include "tests/namespace.h"
#include "tests/turn.h"
#include "tests/uplink/owner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

enum { DATAGRAM_MAX = 65507 };

/* Endpoints of an uplink that is not connected. */
enum { FIRST = 3, SECOND = 7, NOWHERE = 9 };

struct fixture {
    struct owner owner;
    int server;
    bool unconnected;
};

static struct fixture fixture;

union name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* A server on a port of the system's choice, and the uplink to it. */
static void open_pair(struct fixture *f, int family)
{
    union name name = {.any.sa_family = (sa_family_t)family};
    socklen_t size = sizeof name;
    struct timeval patience = {.tv_sec = 30};
    int buffer = 4 << 20;
    enum error error;
    if (family == AF_INET)
        name.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        name.ipv6.sin6_addr = in6addr_loopback;
    f->server = socket(family, SOCK_DGRAM, 0);
    setsockopt(f->server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(f->server, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    assert_int_equal(bind(f->server, &name.any, size), 0);
    assert_int_equal(getsockname(f->server, &name.any, &size), 0);

    struct endpoint server = {.address = address_ipv4(INADDR_LOOPBACK),
                              .port = ntohs(name.ipv4.sin_port)};
    if (family == AF_INET6)
        server.address =
            address_from_bytes(ADDRESS_IPV6, in6addr_loopback.s6_addr);
    f->owner.uplink =
        f->unconnected
            ? udp_open_unconnected(FIRST, &server, f->owner.loop,
                                   &f->owner.callbacks, &error)
            : udp_open(&server, f->owner.loop, &f->owner.callbacks, &error);
    assert_non_null(f->owner.uplink);
    assert_int_equal(f->owner.connected, 0);
}

/* Lets the server know who we are. */
static void greet(struct fixture *f)
{
    static uint8_t hello = 'h';
    struct burst *burst = f->owner.burst;
    char byte;
    union name name;
    socklen_t size = sizeof name;
    burst_reset(burst);
    assert_true(burst_add_view(burst, &hello, 1));
    burst->datagrams[0].endpoint = f->unconnected ? FIRST : 0;
    f->owner.uplink->kind->send(f->owner.uplink, burst);
    burst_reset(burst);
    assert_int_equal(recvfrom(f->server, &byte, 1, 0, &name.any, &size), 1);
    assert_int_equal(connect(f->server, &name.any, size), 0);
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    *f = (struct fixture){.server = -1};
    owner_init(&f->owner);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    owner_clear(&f->owner);
    if (f->server >= 0)
        close(f->server);
    namespace_run("ip link set lo mtu 65536");
    return 0;
}

/* The server has got just the datagrams of the burst that were not dropped,
 * in order and whole. */
static void expect_at_server(struct fixture *f, const struct burst *burst)
{
    static uint8_t data[DATAGRAM_MAX + 1];
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        if (d->drop != DROP_NONE)
            continue;
        ssize_t got = recv(f->server, data, sizeof data, 0);
        assert_int_equal(got, d->size);
        assert_memory_equal(data, d->data, d->size);
    }
    assert_int_equal(recv(f->server, data, sizeof data, MSG_DONTWAIT), -1);
}

static unsigned drops_of(const struct burst *burst, enum drop reason)
{
    unsigned count = 0;
    for (uint16_t i = 0; i < burst->count; i++)
        count += burst->datagrams[i].drop == reason;
    return count;
}

static void it_tells_when_it_stands(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.connected, 1);
    assert_int_equal(f->owner.uplink->overhead, 28);
    assert_true(f->owner.uplink->mtu >= 65535);
    assert_string_equal(f->owner.uplink->kind->name, "udp");
}

static void ipv6_has_its_own_overhead(void **state)
{
    struct fixture *f = *state;
    namespace_run("ip link set lo mtu 1500");
    open_pair(f, AF_INET6);
    assert_int_equal(f->owner.uplink->overhead, 48);
    assert_int_equal(f->owner.uplink->mtu, 1500);
}

static void runs_arrive_as_they_were(void **state)
{
    struct fixture *f = *state;
    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        open_pair(f, families[i]);
        burst_reset(f->owner.burst);
        for (int n = 0; n < 150; n++) /* more than two messages */
            owner_add(&f->owner, 400);
        owner_add(&f->owner, 77); /* the shorter end of a run */
        owner_send(&f->owner);
        assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 151);
        expect_at_server(f, f->owner.burst);
        f->owner.uplink->kind->close(f->owner.uplink);
        f->owner.uplink = NULL;
        close(f->server);
    }
}

static void mixed_sizes_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    uint32_t random = 7;
    open_pair(f, AF_INET);
    for (int round = 0; round < 20; round++) {
        burst_reset(f->owner.burst);
        while (f->owner.burst->count < 80) { /* fits a plain receive buffer */
            /* Runs of one to eight, often of a size seen just before. */
            uint16_t size = (uint16_t)(1 + next_random(&random) % 3 * 600);
            for (uint32_t n = next_random(&random) % 8; n; n--)
                owner_add(&f->owner, size);
        }
        owner_send(&f->owner);
        assert_int_equal(drops_of(f->owner.burst, DROP_NONE),
                         f->owner.burst->count);
        expect_at_server(f, f->owner.burst);
    }
}

/* Each larger than the one before: a message each, in more than one call. */
static void growing_sizes_are_no_run(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    for (uint16_t n = 1; n <= 100; n++)
        owner_add(&f->owner, n);
    owner_send(&f->owner);
    assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 100);
    expect_at_server(f, f->owner.burst);
}

static void what_was_dropped_before_is_not_sent(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    for (int n = 0; n < 30; n++)
        owner_add(&f->owner, 500);
    for (int n = 0; n < 30; n += 7)
        f->owner.burst->datagrams[n].drop = DROP_SEAL_LIMIT;
    owner_send(&f->owner);
    assert_int_equal(drops_of(f->owner.burst, DROP_SEAL_LIMIT), 5);
    assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 25);
    expect_at_server(f, f->owner.burst);
}

static void a_burst_may_be_empty(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    owner_send(&f->owner);
    expect_at_server(f, f->owner.burst);
}

/* Larger than the MTU they cannot be segments, but the kernel cuts them. */
static void datagrams_above_the_mtu_are_fragmented(void **state)
{
    struct fixture *f = *state;
    static const int families[] = {AF_INET, AF_INET6};
    namespace_run("ip link set lo mtu 1500");
    for (int i = 0; i < 2; i++) {
        open_pair(f, families[i]);
        burst_reset(f->owner.burst);
        for (int n = 0; n < 10; n++)
            owner_add(&f->owner, 1600);
        owner_send(&f->owner);
        assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 10);
        expect_at_server(f, f->owner.burst);
        f->owner.uplink->kind->close(f->owner.uplink);
        f->owner.uplink = NULL;
        close(f->server);
    }
}

/* The MTU sinks under a standing socket: the segments it refuses go singly,
 * and the new value is seen. */
static void a_shrinking_mtu_loses_nothing(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    assert_true(f->owner.uplink->mtu >= 65535);
    namespace_run("ip link set lo mtu 1300");
    for (int n = 0; n < 10; n++)
        owner_add(&f->owner, 1400);
    owner_send(&f->owner);
    assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 10);
    expect_at_server(f, f->owner.burst);
    assert_int_equal(f->owner.uplink->mtu, 1300);
}

/* One that grows is seen within a second of sending; and what is too small to
 * be true, as forged ICMP would have it, is not believed. */
static void the_mtu_is_looked_at_again(void **state)
{
    struct fixture *f = *state;
    namespace_run("ip link set lo mtu 1300");
    open_pair(f, AF_INET);
    assert_int_equal(f->owner.uplink->mtu, 1300);
    namespace_run("ip link set lo mtu 1400");
    greet(f);
    assert_int_equal(f->owner.uplink->mtu, 1300);
    turn_for(f->owner.loop, 1000);
    greet(f);
    assert_int_equal(f->owner.uplink->mtu, 1400);
    owner_close(&f->owner);
    close(f->server);
    f->owner.connected = 0;
    namespace_run("ip link set lo mtu 600");
    open_pair(f, AF_INET);
    assert_int_equal(f->owner.uplink->mtu, 1280);
    burst_reset(f->owner.burst);
    for (int n = 0; n < 20; n++) /* which the system cuts */
        owner_add(&f->owner, 1000);
    owner_send(&f->owner);
    assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 20);
    expect_at_server(f, f->owner.burst);
    /* The MTU was too small for IPv6, which is back only when the device comes
     * up. */
    namespace_run("ip link set lo down mtu 65536");
    namespace_run("ip link set lo up");
}

/* From the server, through a place that is as narrow as that. */
static void send_narrow(struct fixture *f, size_t size)
{
    static const uint8_t datagram[2000];
    namespace_run("ip link set lo mtu 1403");
    assert_int_equal(send(f->server, datagram, size, 0), (ssize_t)size);
    namespace_run("ip link set lo mtu 1500");
    owner_turn(&f->owner);
}

/* Ways back mostly are as ways there; but fragments anybody can send. */
static void fragments_of_the_server_tell_how_wide_the_way_is(void **state)
{
    struct fixture *f = *state;
    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        f->owner.connected = 0;
        f->owner.proves = false;
        namespace_run("ip link set lo mtu 1500");
        open_pair(f, families[i]);
        greet(f);
        send_narrow(f, 2000);
        assert_int_equal(f->owner.uplink->mtu, 1500);
        f->owner.proves = true;
        send_narrow(f, 1300); /* which comes whole */
        assert_int_equal(f->owner.uplink->mtu, 1500);
        send_narrow(f, 2000);
        /* Fragments carry units of eight bytes. */
        assert_int_equal(f->owner.uplink->mtu, i ? 1400 : 1396);
        /* Another way is another matter. */
        namespace_run("ip link set lo mtu 1450");
        turn_for(f->owner.loop, 1000);
        greet(f);
        assert_int_equal(f->owner.uplink->mtu, 1450);
        assert_int_equal(f->owner.total, (size_t)(i + 1) * 5300);
        owner_close(&f->owner);
        close(f->server);
    }
}

static void what_no_datagram_holds_is_too_big(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    owner_add(&f->owner, 100);
    owner_add(&f->owner, DATAGRAM_MAX + 1);
    owner_add(&f->owner, DATAGRAM_MAX);
    owner_send(&f->owner);
    assert_int_equal(f->owner.burst->datagrams[1].drop, DROP_UPLINK_TOO_BIG);
    assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 2);
    assert_int_equal(f->owner.uplink->drops.count[DROP_UPLINK_TOO_BIG], 1);
    expect_at_server(f, f->owner.burst);
}

/* Whether a datagram of ours has DF, as the server sees it. */
static void outer_datagrams_carry_no_df(void **state)
{
    struct fixture *f = *state;
    uint8_t packet[256];
    open_pair(f, AF_INET);
    int raw = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_UDP);
    assert_true(raw >= 0);
    for (int n = 0; n < 3; n++)
        owner_add(&f->owner, 100);
    owner_send(&f->owner);
    assert_true(recv(raw, packet, sizeof packet, 0) > 28);
    assert_int_equal(packet[6] & 0x40, 0);
    close(raw);
}

static void a_train_comes_in_as_its_datagrams(void **state)
{
    struct fixture *f = *state;
    static uint8_t train[50 * 1300 + 11];
    int segment = 1300;
    open_pair(f, AF_INET);
    greet(f);
    for (size_t i = 0; i < sizeof train; i++)
        train[i] = (uint8_t)(i * 7 + i / 1000);
    setsockopt(f->server, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    assert_int_equal(send(f->server, train, sizeof train, 0), sizeof train);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 51);
    for (int i = 0; i < 50; i++)
        assert_int_equal(f->owner.sizes[i], 1300);
    assert_int_equal(f->owner.sizes[50], 11);
    assert_int_equal(f->owner.total, sizeof train);
    assert_memory_equal(f->owner.bytes, train, sizeof train);
    assert_int_equal(f->owner.received_calls, 1);
}

/* More than a burst holds, in one go. */
static void trains_of_tiny_datagrams_overflow_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t train[64];
    int segment = 1;
    open_pair(f, AF_INET);
    greet(f);
    for (size_t i = 0; i < sizeof train; i++)
        train[i] = (uint8_t)i;
    setsockopt(f->server, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    for (int n = 0; n < 12; n++)
        assert_int_equal(send(f->server, train, sizeof train, 0), 64);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 12 * 64);
    for (unsigned i = 0; i < f->owner.count; i++) {
        assert_int_equal(f->owner.sizes[i], 1);
        assert_int_equal(f->owner.bytes[i], i % 64);
    }
}

static void single_datagrams_of_all_sizes_come_in(void **state)
{
    struct fixture *f = *state;
    static const uint16_t sizes[] = {1, 1400, 9000, DATAGRAM_MAX, 2};
    static uint8_t data[DATAGRAM_MAX];
    open_pair(f, AF_INET);
    greet(f);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(send(f->server, data, sizes[i], 0), sizes[i]);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(f->owner.sizes[i], sizes[i]);
}

static void an_empty_datagram_is_counted(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    greet(f);
    assert_int_equal(send(f->server, "", 0, 0), 0);
    assert_int_equal(send(f->server, "x", 1, 0), 1);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 1);
    assert_int_equal(f->owner.uplink->drops.count[DROP_OPCODE], 1);
}

static void strangers_are_not_heard(void **state)
{
    struct fixture *f = *state;
    union name name;
    socklen_t size = sizeof name;
    open_pair(f, AF_INET);
    greet(f);
    assert_int_equal(getpeername(f->server, &name.any, &size), 0);
    int stranger = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(stranger, "psst", 4, 0, &name.any, size);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.count, 0);
    close(stranger);
}

/* True if `fd` hears the uplink now. The other end hears nothing sooner. */
static bool hears(struct fixture *f, int fd, int other)
{
    static uint8_t hello = 'h';
    char byte = 0;
    struct pollfd ears[] = {{.fd = fd, .events = POLLIN},
                            {.fd = other, .events = POLLIN}};
    burst_reset(f->owner.burst);
    assert_true(burst_add_view(f->owner.burst, &hello, 1));
    f->owner.burst->datagrams[0].endpoint = FIRST;
    f->owner.uplink->kind->send(f->owner.uplink, f->owner.burst);
    burst_reset(f->owner.burst);
    assert_true(poll(ears, 2, 30000) > 0);
    bool heard = recv(fd, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'h';
    bool overheard = recv(other, &byte, 1, MSG_DONTWAIT) == 1;
    return heard && !overheard;
}

static struct endpoint place_of(int fd)
{
    union socket_name name;
    socklen_t size = sizeof name;
    assert_int_equal(getsockname(fd, &name.any, &size), 0);
    return socket_name_endpoint(&name);
}

/* It is told of all that comes, and goes only where it is aimed. */
static void an_unconnected_uplink_says_who_spoke(void **state)
{
    struct fixture *f = *state;
    union name name;
    socklen_t size = sizeof name;
    f->unconnected = true;
    open_pair(f, AF_INET);
    greet(f);
    assert_int_equal(getpeername(f->server, &name.any, &size), 0);
    int stranger = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(stranger, &name.any, size), 0);

    assert_int_equal(send(f->server, "news", 4, 0), 4);
    assert_int_equal(send(stranger, "psst", 4, 0), 4);
    owner_turn(&f->owner);
    assert_memory_equal(f->owner.bytes, "newspsst", 8);
    assert_int_equal(f->owner.received_calls, 2); /* never two sources in one */
    struct endpoint there = place_of(stranger), here = place_of(f->server);
    assert_true(endpoint_equal(&f->owner.source, &there));
    assert_true(hears(f, f->server, stranger));

    struct uplink *uplink = f->owner.uplink;
    uplink->kind->aim(uplink, FIRST, &there);
    assert_true(endpoint_equal(&uplink->server, &there));
    assert_true(hears(f, stranger, f->server));
    uplink->kind->aim(uplink, FIRST, &here);
    assert_true(hears(f, f->server, stranger));
    close(stranger);
}

/* Datagrams of both families, in one burst; each finds its own. */
static void each_datagram_goes_to_its_own_endpoint(void **state)
{
    struct fixture *f = *state;
    char got[2][64] = {{0}};
    f->unconnected = true;
    open_pair(f, AF_INET);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                               .sin6_addr = in6addr_loopback};
    int second = socket(AF_INET6, SOCK_DGRAM, 0);
    assert_int_equal(bind(second, (struct sockaddr *)&any, sizeof any), 0);
    struct endpoint there = place_of(second);
    struct uplink *uplink = f->owner.uplink;
    assert_int_equal(uplink->overhead, 20 + 8);
    uplink->kind->aim(uplink, SECOND, &there);
    assert_int_equal(uplink->overhead, 40 + 8); /* that of the larger */

    const unsigned order[] = {FIRST, FIRST, SECOND, NOWHERE, SECOND, FIRST};
    for (size_t i = 0; i < 6; i++) {
        struct datagram *d = owner_add(&f->owner, 10);
        memset(d->data, 'a' + (int)i, 10);
        d->endpoint = (uint8_t)order[i];
    }
    uplink->kind->send(uplink, f->owner.burst);
    assert_int_equal(f->owner.burst->datagrams[3].drop, DROP_UPLINK_NOWHERE);
    assert_int_equal(uplink->drops.count[DROP_UPLINK_NOWHERE], 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(recv(f->server, got[0] + i, 1, MSG_TRUNC), 10);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(recv(second, got[1] + i, 1, MSG_TRUNC), 10);
    assert_string_equal(got[0], "abf");
    assert_string_equal(got[1], "ce");

    /* And nowhere any more. */
    uplink->kind->aim(uplink, SECOND, &(struct endpoint){0});
    burst_reset(f->owner.burst);
    owner_add(&f->owner, 10)->endpoint = SECOND;
    uplink->kind->send(uplink, f->owner.burst);
    assert_int_equal(uplink->drops.count[DROP_UPLINK_NOWHERE], 2);
    assert_int_equal(uplink->overhead, 20 + 8);
    close(second);
}

/* DSCP and ECN of the next datagram there. */
static int marks_at(int fd)
{
    char byte, space[64] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = space,
                       .msg_controllen = sizeof space};
    int value = 0;
    assert_true(recvmsg(fd, &m, 0) >= 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (!c)
        return -1;
    memcpy(&value, CMSG_DATA(c), c->cmsg_type == IP_TOS ? 1 : sizeof value);
    return value;
}

static void send_marked(struct fixture *f, uint8_t dscp, uint8_t ecn)
{
    struct datagram *d = owner_add(&f->owner, 100);
    d->dscp = dscp;
    d->ecn = ecn;
    d->endpoint = f->unconnected ? FIRST : 0;
}

/* Connected and not, and in one burst with others, which are not joined. */
static void marks_are_sent_and_heard(struct fixture *f, int family)
{
    const int on = 1, heard = 2;
    bool ipv4 = family == AF_INET;
    open_pair(f, family);
    assert_int_equal(setsockopt(f->server, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                                ipv4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on,
                                sizeof on),
                     0);
    greet(f);
    burst_reset(f->owner.burst);
    send_marked(f, 0x22, 0);
    send_marked(f, 0, 1);
    send_marked(f, 0, 1);
    send_marked(f, 0, 0);
    f->owner.uplink->kind->send(f->owner.uplink, f->owner.burst);
    assert_int_equal(marks_at(f->server), 0x88);
    assert_int_equal(marks_at(f->server), 1);
    assert_int_equal(marks_at(f->server), 1);
    assert_int_equal(marks_at(f->server), 0);

    assert_int_equal(setsockopt(f->server, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                                ipv4 ? IP_TOS : IPV6_TCLASS, &heard,
                                sizeof heard),
                     0);
    assert_int_equal(send(f->server, "marked", 6, 0), 6);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.ecn, f->unconnected ? 2 : 0);
}

static void marks_go_with_ipv4(void **state)
{
    marks_are_sent_and_heard(*state, AF_INET);
}

static void marks_go_with_ipv6(void **state)
{
    marks_are_sent_and_heard(*state, AF_INET6);
}

static void marks_go_with_ipv4_unconnected(void **state)
{
    struct fixture *f = *state;
    f->unconnected = true;
    marks_are_sent_and_heard(f, AF_INET);
}

static void marks_go_with_ipv6_unconnected(void **state)
{
    struct fixture *f = *state;
    f->unconnected = true;
    marks_are_sent_and_heard(f, AF_INET6);
}

static unsigned lines; /* logged */

static void count_lines(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
    lines++;
}

/* Nobody listens, and ICMP says so after each datagram. */
static void icmp_is_no_failure(void **state)
{
    struct fixture *f = *state;
    union name name;
    socklen_t size = sizeof name;
    open_pair(f, AF_INET);
    assert_int_equal(getsockname(f->server, &name.any, &size), 0);
    close(f->server);
    log_set_sink(count_lines, NULL);
    lines = 0;
    for (int n = 0; n < 5; n++) {
        burst_reset(f->owner.burst);
        owner_add(&f->owner, 100);
        owner_add(&f->owner, 200);
        owner_send(&f->owner);
        if (n % 2)
            owner_turn(&f->owner);
        assert_int_equal(drops_of(f->owner.burst, DROP_NONE), 2);
    }
    log_set_sink(NULL, NULL);
    assert_int_equal(f->owner.failed, 0);
    assert_int_equal(lines, 1);
    assert_true(f->owner.uplink->refusals >= 4);

    /* The server comes back, and hears what is sent next. */
    owner_turn(&f->owner);
    struct timeval patience = {.tv_sec = 30};
    f->server = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(f->server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(bind(f->server, &name.any, size), 0);
    burst_reset(f->owner.burst);
    owner_add(&f->owner, 300);
    owner_send(&f->owner);
    expect_at_server(f, f->owner.burst);
}

/* A packet filter forbids them: the datagrams are dropped with their reason,
 * and one line says why. */
static void refused_datagrams_are_counted_and_said_once(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    namespace_run("nft 'add table inet t; add chain inet t out { type filter "
                  "hook output priority 0; policy drop; }'");
    log_set_sink(count_lines, NULL);
    lines = 0;
    for (int n = 0; n < 4; n++)
        owner_add(&f->owner, 100);
    owner_send(&f->owner);
    owner_send(&f->owner);
    log_set_sink(NULL, NULL);
    namespace_run("nft delete table inet t");
    assert_int_equal(drops_of(f->owner.burst, DROP_UPLINK_ERROR), 4);
    assert_int_equal(f->owner.uplink->drops.count[DROP_UPLINK_ERROR], 4);
    assert_int_equal(lines, 1);
    assert_int_equal(f->owner.failed, 0);
}

static void without_a_route_datagrams_are_dropped(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    namespace_run("ip rule add pref 1 to 127.0.0.1 unreachable && "
                  "ip rule add pref 2 lookup local && ip rule del pref 0");
    log_set_sink(count_lines, NULL);
    lines = 0;
    owner_add(&f->owner, 100);
    owner_add(&f->owner, 100);
    owner_send(&f->owner);
    log_set_sink(NULL, NULL);
    namespace_run("ip rule add pref 0 lookup local && ip rule del pref 1 && "
                  "ip rule del pref 2");
    assert_int_equal(drops_of(f->owner.burst, DROP_UPLINK_ERROR), 2);
    assert_int_equal(lines, 1);
    assert_int_equal(f->owner.failed, 0);

    burst_reset(f->owner.burst); /* and it recovers */
    owner_add(&f->owner, 100);
    owner_send(&f->owner);
    expect_at_server(f, f->owner.burst);
}

/* A queue that lets nothing out: the send buffer fills. */
static void a_full_send_buffer_is_busy(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    namespace_run("tc qdisc add dev lo root tbf rate 8kbit burst 64kb "
                  "limit 100mb");
    for (int round = 0; round < 40; round++) {
        burst_reset(f->owner.burst);
        for (int n = 0; n < 400; n++)
            owner_add(&f->owner, 1400);
        owner_send(&f->owner);
        if (drops_of(f->owner.burst, DROP_UPLINK_BUSY))
            break;
    }
    namespace_run("tc qdisc del dev lo root");
    assert_true(drops_of(f->owner.burst, DROP_UPLINK_BUSY) > 0);
    assert_int_equal(f->owner.uplink->drops.count[DROP_UPLINK_BUSY],
                     drops_of(f->owner.burst, DROP_UPLINK_BUSY));
}

static void the_owner_may_close_it_when_told_it_stands(void **state)
{
    struct fixture *f = *state;
    f->owner.close_when_connected = true;
    open_pair(f, AF_INET);
    owner_turn(&f->owner);
    assert_int_equal(f->owner.connected, 1);
    assert_null(f->owner.uplink);
}

static void the_owner_may_close_it_while_receiving(void **state)
{
    struct fixture *f = *state;
    open_pair(f, AF_INET);
    greet(f);
    f->owner.close_when_received = true;
    for (int n = 0; n < 5; n++)
        assert_int_equal(send(f->server, "abc", 3, 0), 3);
    owner_turn(&f->owner);
    assert_null(f->owner.uplink);
    assert_int_equal(f->owner.received_calls, 1);
    assert_memory_equal(f->owner.bytes, "abc", 3);
}

static void an_unreachable_server_is_an_error_at_once(void **state)
{
    struct fixture *f = *state;
    struct endpoint server = {.address = address_ipv4(0xc0000201), .port = 1};
    enum error error = OK;
    log_set_sink(count_lines, NULL);
    assert_null(udp_open(&server, f->owner.loop, &f->owner.callbacks, &error));
    log_set_sink(NULL, NULL);
    assert_int_equal(error, ERROR_UNREACHABLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_tells_when_it_stands),
        TEST(ipv6_has_its_own_overhead),
        TEST(runs_arrive_as_they_were),
        TEST(mixed_sizes_arrive_in_order),
        TEST(growing_sizes_are_no_run),
        TEST(what_was_dropped_before_is_not_sent),
        TEST(a_burst_may_be_empty),
        TEST(datagrams_above_the_mtu_are_fragmented),
        TEST(a_shrinking_mtu_loses_nothing),
        TEST(the_mtu_is_looked_at_again),
        TEST(fragments_of_the_server_tell_how_wide_the_way_is),
        TEST(what_no_datagram_holds_is_too_big),
        TEST(outer_datagrams_carry_no_df),
        TEST(a_train_comes_in_as_its_datagrams),
        TEST(trains_of_tiny_datagrams_overflow_nothing),
        TEST(single_datagrams_of_all_sizes_come_in),
        TEST(an_empty_datagram_is_counted),
        TEST(strangers_are_not_heard),
        TEST(an_unconnected_uplink_says_who_spoke),
        TEST(each_datagram_goes_to_its_own_endpoint),
        TEST(marks_go_with_ipv4),
        TEST(marks_go_with_ipv6),
        TEST(marks_go_with_ipv4_unconnected),
        TEST(marks_go_with_ipv6_unconnected),
        TEST(icmp_is_no_failure),
        TEST(refused_datagrams_are_counted_and_said_once),
        TEST(without_a_route_datagrams_are_dropped),
        TEST(a_full_send_buffer_is_busy),
        TEST(the_owner_may_close_it_when_told_it_stands),
        TEST(the_owner_may_close_it_while_receiving),
        TEST(an_unreachable_server_is_an_error_at_once),
    };
    if (!namespace_enter_new())
        return namespace_skip("udp needs root or user namespaces");
    namespace_run("ip link set lo up");
    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
