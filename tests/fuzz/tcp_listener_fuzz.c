/*
 * Connections to a listener of a server on the loopback, which say anything,
 * in pieces, and go at any time; meanwhile the owner answers, hangs up, and
 * takes some of them for its own. An input is a list of steps, a byte for what
 * and one for whose; what is said follows the step with its size in front.
 *
 * It never has more connections than its limits say, tells the end of those
 * alone that are known, and each only once.
 */
#include "gateway/uplink/tcp_listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/event/loop.h"
#include "gateway/uplink/socket_name.h"
#include "tests/fuzz/target.h"

enum { CLIENTS = 4, KNOWN = 2, STRANGERS = 2, STEPS = 64 };

static struct loop *loop;
static struct tcp_listener *listener;
static struct endpoint local;
static int clients[CLIENTS];
static uint64_t streams[CLIENTS * 16];
static size_t stream_count;
static bool adopt, hang_up;

static bool received(void *context, struct instant now, uint64_t stream,
                     const struct endpoint *from, struct burst *burst)
{
    (void)context, (void)now;
    check(from->address.family == ADDRESS_IPV4 && burst->count > 0);
    for (uint16_t i = 0; i < burst->count; i++)
        check(burst->datagrams[i].size > 0);
    if (stream_count < sizeof streams / sizeof *streams)
        streams[stream_count++] = stream;
    if (hang_up)
        tcp_listener_hang_up(listener, stream);
    return adopt;
}

static void ended(void *context, struct instant now, uint64_t stream,
                  const struct endpoint *from)
{
    (void)context, (void)now, (void)from;
    check(stream != 0);
}

static void turn_is_over(void *context, struct instant now)
{
    (void)now;
    loop_quit(context);
}

/* Serves ready watches; the timer is due at once. */
static void turn(void)
{
    struct loop_timer end = {loop_now(loop), turn_is_over, loop, NULL};
    loop_add_timer(loop, &end);
    check(loop_run(loop) == OK);
    loop_remove_timer(loop, &end);
}

static bool open_listener(void)
{
    static const struct tcp_listener_owner owner = {NULL, received, ended};
    static const struct tcp_listener_limits limits = {
        KNOWN, STRANGERS, STRANGERS, {3600 * INT64_C(1000000)}};
    enum error error;
    local.address = address_ipv4(0x7f000001);
    for (unsigned i = 0; i < 100 && !listener; i++) {
        local.port = (uint16_t)(20000 + (getpid() + (int)i) % 20000);
        listener = tcp_listener_open(&local, loop, &limits, &owner, &error);
    }
    return listener != NULL;
}

static void start(void)
{
    be_quiet();
    loop = loop_new();
    check(loop && open_listener());
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = -1;
}

static void join(size_t i)
{
    union socket_name name;
    socklen_t size = socket_name_of(&local, &name);
    if (clients[i] >= 0)
        return;
    clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (clients[i] < 0 || connect(clients[i], &name.any, size) != 0)
        abort();
}

/* With a reset, so that no port is kept for a while. */
static void leave(size_t i)
{
    const struct linger none = {1, 0};
    if (clients[i] < 0)
        return;
    setsockopt(clients[i], SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(clients[i]);
    clients[i] = -1;
}

static void say(size_t i, struct reader *in)
{
    size_t most = read_u8(in), left = in->left;
    struct bytes text = read_bytes(in, most < left ? most : left);
    if (clients[i] >= 0 && text.size > 0)
        (void)!send(clients[i], text.data, text.size,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answer(size_t i)
{
    static const struct burst_layout bare = {.block = 1};
    struct burst burst;
    if (stream_count == 0 || !burst_init(&burst, 4096))
        return;
    struct datagram *d = burst_reserve(&burst, &bare, 1000);
    check(d != NULL);
    memset(d->data, 'x', d->size);
    tcp_listener_send(listener, streams[i % stream_count], &burst);
    burst_clear(&burst);
}

static void step(struct reader *in)
{
    uint8_t what = read_u8(in);
    size_t who = read_u8(in);
    adopt = what & 0x40;
    hang_up = what & 0x80;
    switch (what & 7) {
    case 0:
    case 1:
        join(who % CLIENTS);
        break;
    case 2:
    case 3:
        say(who % CLIENTS, in);
        break;
    case 4:
        leave(who % CLIENTS);
        break;
    case 5:
        answer(who);
        break;
    case 6:
        if (stream_count)
            tcp_listener_hang_up(listener, streams[who % stream_count]);
        break;
    case 7:
        if (clients[who % CLIENTS] >= 0)
            shutdown(clients[who % CLIENTS], SHUT_WR);
        break;
    }
    turn();
    struct tcp_listener_counters c = tcp_listener_counters(listener);
    check(c.known <= CLIENTS && c.strangers <= STRANGERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(bytes_of(data, size));
    if (!loop)
        start();
    stream_count = 0;
    for (unsigned i = 0; i < STEPS && in.left > 0; i++)
        step(&in);
    for (size_t i = 0; i < CLIENTS; i++)
        leave(i);
    hang_up = adopt = false;
    for (unsigned i = 0; i < 100; i++) {
        struct tcp_listener_counters c = tcp_listener_counters(listener);
        if (c.known + c.strangers == 0)
            return 0;
        turn();
    }
    abort(); /* somebody who is gone was never forgotten */
}
