/* A server's TCP socket, from clients' plain sockets on the loopback of the
 * test's own namespace. */
#include "gateway/base/log.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/tcp_listener.h"
#include "tests/namespace.h"
#include "tests/turn.h"

#include <arpa/inet.h>
#include <sys/resource.h>

enum { CLIENTS = 64, PATIENCE = 300 /* ms */, NO_END = 3600000 };

struct fixture {
    struct loop *loop;
    struct tcp_listener *listener;
    struct endpoint local;
    int clients[CLIENTS];
    size_t count;
    bool known;   /* what received() answers */
    bool hang_up; /* in received() */
    unsigned ended;
    uint64_t stream; /* of the last that sent or ended */
    unsigned packets;
    size_t bytes;
    uint8_t last[64]; /* the begin of the last packet */
};

static bool received(void *context, struct instant now, uint64_t stream,
                     const struct endpoint *from, struct burst *burst)
{
    struct fixture *f = context;
    (void)now;
    assert_int_equal(from->address.family, ADDRESS_IPV4);
    assert_true(stream != 0);
    f->stream = stream;
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        f->packets++;
        f->bytes += d->size;
        memcpy(f->last, d->data, d->size < 64 ? d->size : 64);
    }
    if (f->hang_up)
        tcp_listener_hang_up(f->listener, stream);
    return f->known;
}

static void ended(void *context, struct instant now, uint64_t stream,
                  const struct endpoint *from)
{
    struct fixture *f = context;
    (void)now, (void)from;
    f->stream = stream;
    f->ended++;
}

/* Turns until `condition` holds, for a minute at most. */
#define TURN_UNTIL(f, condition)                                               \
    do {                                                                       \
        struct instant limit =                                                 \
            instant_after(loop_now((f)->loop), duration_seconds(60));          \
        while (!(condition)) {                                                 \
            assert_false(instant_reached(loop_now((f)->loop), limit));         \
            turn_for((f)->loop, 2);                                            \
        }                                                                      \
    } while (false)

static struct tcp_listener_counters counters(struct fixture *f)
{
    return tcp_listener_counters(f->listener);
}

static void open_patient(struct fixture *f, uint32_t known, uint32_t strangers,
                         uint32_t of_one, int64_t patience)
{
    const struct tcp_listener_owner owner = {f, received, ended};
    const struct tcp_listener_limits limits = {known, strangers, of_one,
                                               duration_milliseconds(patience)};
    enum error error;
    f->listener =
        tcp_listener_open(&f->local, f->loop, &limits, &owner, &error);
    assert_non_null(f->listener);
}

/* Nobody is hung up on for being late. */
static void open_with(struct fixture *f, uint32_t known, uint32_t strangers,
                      uint32_t of_one)
{
    open_patient(f, known, strangers, of_one, NO_END);
}

static int join_from(struct fixture *f, uint32_t address)
{
    const struct endpoint own = {address_ipv4(address), 0};
    union socket_name name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = socket_name_of(&own, &name);
    assert_int_equal(bind(fd, &name.any, size), 0);
    size = socket_name_of(&f->local, &name);
    assert_int_equal(connect(fd, &name.any, size), 0);
    assert_true(f->count < CLIENTS);
    f->clients[f->count++] = fd;
    return fd;
}

static int join(struct fixture *f)
{
    return join_from(f, INADDR_LOOPBACK);
}

static void say(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* The server has closed it. */
static bool is_closed(int fd)
{
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    f->loop = loop_new();
    f->local = (struct endpoint){address_ipv4(INADDR_LOOPBACK), 1194};
    f->known = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tcp_listener_close(f->listener);
    for (size_t i = 0; i < f->count; i++)
        if (f->clients[i] >= 0)
            close(f->clients[i]);
    loop_free(f->loop);
    return 0;
}

static void packets_come_in_whatever_pieces(void **state)
{
    struct fixture *f = *state;
    open_with(f, 4, 4, 4);
    int fd = join(f);
    static const uint8_t two[] = {0, 3, 'a', 'b', 'c', 0, 2, 'd', 'e', 0};
    for (size_t i = 0; i < sizeof two; i++) {
        say(fd, two + i, 1);
        turn_for(f->loop, 2);
    }
    TURN_UNTIL(f, f->packets == 2);
    assert_int_equal(f->bytes, 5);
    assert_memory_equal(f->last, "de", 2);
    say(fd, "\1f\0\3ghi", 7); /* a length begun above: one of 1, then three */
    TURN_UNTIL(f, f->packets == 4);
    assert_memory_equal(f->last, "ghi", 3);
    assert_int_equal(counters(f).known, 1);
}

static void answers_go_to_who_asked(void **state)
{
    struct fixture *f = *state;
    static const struct burst_layout bare = {.block = 1};
    struct burst burst;
    uint8_t got[64];
    assert_true(burst_init(&burst, 4096));
    open_with(f, 4, 4, 4);
    int one = join(f), other = join(f);
    say(one, "\0\1x", 3);
    TURN_UNTIL(f, f->packets == 1);
    uint64_t stream = f->stream;
    for (unsigned i = 0; i < 2; i++) {
        struct datagram *d = burst_reserve(&burst, &bare, 3);
        memcpy(d->data, i ? "two" : "one", 3);
    }
    tcp_listener_send(f->listener, stream, &burst);
    assert_int_equal(recv(one, got, 10, MSG_WAITALL), 10);
    assert_memory_equal(got, "\0\3one\0\3two", 10);
    assert_int_equal(recv(other, got, 1, MSG_DONTWAIT), -1);
    /* To nobody. */
    tcp_listener_send(f->listener, stream + 1, &burst);
    assert_int_equal(burst.datagrams[0].drop, DROP_UPLINK_ERROR);
    burst_clear(&burst);
}

static bool is_full(int fd, uint8_t *room, size_t capacity, size_t *size)
{
    ssize_t n = recv(fd, room + *size, capacity - *size, MSG_DONTWAIT);
    *size += n > 0 ? (size_t)n : 0;
    return *size == capacity;
}

static void who_does_not_read_gets_whole_packets_later(void **state)
{
    struct fixture *f = *state;
    static const struct burst_layout bare = {.block = 1};
    enum { SIZE = 1400, ROUNDS = 400, EACH = 50 };
    struct burst burst;
    size_t sent = 0, got = 0;
    static uint8_t room[SIZE + 2];
    assert_true(burst_init(&burst, 128 * 1024));
    open_with(f, 4, 4, 4);
    int fd = join(f);
    say(fd, "\0\1x", 3);
    TURN_UNTIL(f, f->packets == 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        burst_reset(&burst);
        for (unsigned i = 0; i < EACH; i++) {
            struct datagram *d = burst_reserve(&burst, &bare, SIZE);
            memset(d->data, (int)round, SIZE);
            d->inner_size = SIZE;
        }
        tcp_listener_send(f->listener, f->stream, &burst);
        for (unsigned i = 0; i < EACH; i++)
            sent += burst.datagrams[i].drop == DROP_NONE;
    }
    assert_true(sent < ROUNDS * EACH);
    assert_int_equal(tcp_listener_drops(f->listener)->count[DROP_UPLINK_BUSY] +
                         sent,
                     ROUNDS * EACH);
    /* Each that was taken arrives, whole and in order. */
    uint8_t before = 0;
    while (got < sent) {
        size_t size = 0;
        TURN_UNTIL(f, is_full(fd, room, sizeof room, &size));
        assert_int_equal(load_u16(room), SIZE);
        assert_true(room[2] >= before || before > 250);
        assert_int_equal(room[2], room[SIZE + 1]);
        before = room[2];
        got++;
    }
    turn_for(f->loop, 2);
    assert_true(recv(fd, room, 1, MSG_DONTWAIT) < 0);
    burst_clear(&burst);
}

static void an_impossible_length_ends_a_connection(void **state)
{
    struct fixture *f = *state;
    open_with(f, 4, 4, 4);
    int http = join(f), empty = join(f);
    say(http, "GET / HTTP/1.1\r\n\r\n", 18);
    say(empty, "\0\0", 2);
    TURN_UNTIL(f, is_closed(http) && is_closed(empty));
    assert_int_equal(f->packets, 0);
    assert_int_equal(f->ended, 0); /* nobody that the owner knew */
}

static void the_end_of_one_known_is_told(void **state)
{
    struct fixture *f = *state;
    open_with(f, 4, 4, 4);
    int fd = join(f);
    say(fd, "\0\1x", 3);
    TURN_UNTIL(f, f->packets == 1);
    uint64_t stream = f->stream;
    close(fd);
    f->clients[0] = -1;
    TURN_UNTIL(f, f->ended == 1);
    assert_true(f->stream == stream);
    assert_int_equal(counters(f).known, 0);
    /* Its place is another's now, its number nobody's. */
    fd = join(f);
    say(fd, "\0\1x", 3);
    TURN_UNTIL(f, f->packets == 2);
    assert_true(f->stream != stream);
    tcp_listener_hang_up(f->listener, stream);
    turn_for(f->loop, 2);
    assert_int_equal(counters(f).known, 1);
}

static void a_connection_is_hung_up_from_inside(void **state)
{
    struct fixture *f = *state;
    open_with(f, 4, 4, 4);
    f->hang_up = true;
    int fd = join(f);
    say(fd, "\0\1x\0\1y", 6);
    TURN_UNTIL(f, is_closed(fd));
    assert_int_equal(f->packets, 2); /* of one burst */
    assert_int_equal(f->ended, 0);
    assert_int_equal(counters(f).known + counters(f).strangers, 0);
}

static void a_stranger_has_so_much_time(void **state)
{
    struct fixture *f = *state;
    open_patient(f, 4, 4, 4, PATIENCE);
    f->known = false;
    int silent = join(f), slow = join(f);
    say(slow, "\0\1x\0", 4);
    TURN_UNTIL(f, is_closed(silent) && is_closed(slow));
    assert_int_equal(counters(f).timed_out, 2);
    f->known = true;
    int fd = join(f);
    say(fd, "\0\1x", 3);
    TURN_UNTIL(f, counters(f).known == 1);
    struct instant later =
        instant_after(loop_now(f->loop), duration_milliseconds(PATIENCE + 50));
    TURN_UNTIL(f, instant_reached(loop_now(f->loop), later));
    assert_false(is_closed(fd));
}

static void strangers_are_bounded(void **state)
{
    struct fixture *f = *state;
    open_with(f, 8, 6, 4);
    int known = join(f);
    say(known, "\0\1x", 3);
    TURN_UNTIL(f, counters(f).known == 1);
    f->known = false;
    int first = join_from(f, INADDR_LOOPBACK + 1);
    TURN_UNTIL(f, counters(f).strangers == 1);
    /* One address pushes out its own ... */
    for (unsigned i = 0; i < 20; i++)
        join(f);
    TURN_UNTIL(f, counters(f).accepted == 22);
    assert_int_equal(counters(f).strangers, 5);
    assert_int_equal(counters(f).pushed_out, 16);
    assert_false(is_closed(first));
    /* ... many push out the oldest. */
    for (uint32_t i = 0; i < 20; i++)
        join_from(f, INADDR_LOOPBACK + 2 + i);
    TURN_UNTIL(f, counters(f).accepted == 42);
    assert_int_equal(counters(f).strangers, 6);
    assert_true(is_closed(first));
    assert_false(is_closed(known));
}

static void without_descriptors_nobody_known_suffers(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, few;
    open_with(f, 8, 8, 8);
    int known = join(f);
    say(known, "\0\1x", 3);
    TURN_UNTIL(f, counters(f).known == 1);
    f->known = false;
    int waiting = join(f);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)waiting + 1;
    setrlimit(RLIMIT_NOFILE, &few);
    turn_for(f->loop, 2);
    turn_for(f->loop, 2);
    assert_int_equal(counters(f).accepted, 1);
    say(known, "\0\1y", 3);
    TURN_UNTIL(f, f->packets == 2);
    assert_memory_equal(f->last, "y", 1);
    setrlimit(RLIMIT_NOFILE, &before);
    TURN_UNTIL(f, counters(f).accepted == 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_come_in_whatever_pieces),
        TEST(answers_go_to_who_asked),
        TEST(who_does_not_read_gets_whole_packets_later),
        TEST(an_impossible_length_ends_a_connection),
        TEST(the_end_of_one_known_is_told),
        TEST(a_connection_is_hung_up_from_inside),
        TEST(a_stranger_has_so_much_time),
        TEST(strangers_are_bounded),
        TEST(without_descriptors_nobody_known_suffers),
    };
    if (!namespace_enter_new())
        return namespace_skip("no network namespace");
    namespace_run("ip link set lo up");
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
