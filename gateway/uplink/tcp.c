#include "gateway/uplink/tcp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/uplink/dial.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/tcp_framing.h"

enum {
    IPV4_OVERHEAD = 20 + 20 + TCP_FRAMING_LENGTH_SIZE,
    IPV6_OVERHEAD = 40 + 20 + TCP_FRAMING_LENGTH_SIZE,
    INPUT_SIZE = 128 * 1024,
    QUEUE_DATA = 128 * 1024, /* one burst that the kernel takes nothing of */
    QUEUE_SIZE = QUEUE_DATA + 64 * 1024,
    MTU_UNKNOWN = 1500,
};

static_assert((int)QUEUE_SIZE >= (int)TCP_FRAMING_QUEUE_LEAST,
              "the end of a packet fits");

struct tcp {
    struct uplink uplink; /* first */
    struct loop *loop;
    struct loop_watch watch; /* fd -1: dialling, or broken */
    struct loop_timer end;   /* tells failed() */
    struct uplink_owner owner;
    bool calling; /* into the owner, */
    bool closed;  /* who closed us meanwhile */
    bool writing; /* we wait for room at the kernel */
    int broken;   /* errno */
    struct dial dial;
    struct tcp_framing_input in;
    struct tcp_framing_queue queue;
    struct tcp_framing_parts parts;
    struct burst received; /* views into `in` */
};

static_assert(offsetof(struct tcp, uplink) == 0, "an uplink is its start");

static struct tcp *tcp_of(struct uplink *uplink)
{
    return (struct tcp *)uplink;
}

static void destroy(struct tcp *tcp)
{
    tcp_framing_input_clear(&tcp->in);
    tcp_framing_queue_clear(&tcp->queue);
    burst_clear(&tcp->received);
    free(tcp);
}

/* False: the owner has closed us, and `tcp` is no more. */
static bool may_go_on(struct tcp *tcp)
{
    tcp->calling = false;
    if (!tcp->closed)
        return true;
    destroy(tcp);
    return false;
}

static void hang_up(struct tcp *tcp)
{
    if (tcp->watch.fd < 0)
        return;
    loop_remove(tcp->loop, &tcp->watch);
    close(tcp->watch.fd);
    tcp->watch.fd = -1;
}

/* The last thing that is done with it. */
static void fail(struct tcp *tcp, struct instant now, const char *why)
{
    hang_up(tcp);
    tcp->calling = true;
    tcp->owner.failed(tcp->owner.context, now, why);
    may_go_on(tcp);
}

/* --- Out ----------------------------------------------------------------- */

/* Its owner is in the middle of something: it is told from the loop. */
static void note_broken(struct tcp *tcp, int number)
{
    tcp->broken = number;
    hang_up(tcp);
    loop_timer_set(&tcp->end, loop_now(tcp->loop));
}

static void end_due(void *context, struct instant now)
{
    struct tcp *tcp = context;
    fail(tcp, now, strerror(tcp->broken));
}

/* How many bytes the kernel took. */
static size_t put(struct tcp *tcp, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t n = sendmsg(tcp->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        return (size_t)n;
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
        note_broken(tcp, errno);
    return 0;
}

static void await_room(struct tcp *tcp)
{
    bool writing = tcp_framing_queued(&tcp->queue).size > 0;
    if (tcp->watch.fd < 0 || writing == tcp->writing)
        return;
    tcp->writing = writing;
    loop_change(tcp->loop, &tcp->watch,
                writing ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void drop_all(struct tcp *tcp, struct burst *burst)
{
    for (uint16_t i = 0; i < burst->count; i++) {
        if (burst->datagrams[i].drop != DROP_NONE)
            continue;
        burst->datagrams[i].drop = DROP_UPLINK_ERROR;
        drop_count(&tcp->uplink.drops, DROP_UPLINK_ERROR);
    }
}

static void tcp_send(struct uplink *uplink, struct burst *burst)
{
    struct tcp *tcp = tcp_of(uplink);
    size_t sent = 0;
    if (tcp->watch.fd >= 0) {
        tcp_framing_gather(burst, &uplink->drops, &tcp->parts);
        if (tcp->parts.count && tcp_framing_queued(&tcp->queue).size == 0)
            sent = put(tcp, tcp->parts.parts, tcp->parts.count);
    }
    if (tcp->watch.fd < 0) {
        drop_all(tcp, burst);
        return;
    }
    if (sent < tcp->parts.size)
        tcp_framing_keep(&tcp->queue, burst, sent, &uplink->drops);
    await_room(tcp);
}

static void send_queue(struct tcp *tcp)
{
    uint8_t *start = tcp->queue.memory + tcp->queue.start;
    struct iovec part = {start, tcp_framing_queued(&tcp->queue).size};
    if (part.iov_len > 0)
        tcp_framing_sent(&tcp->queue, put(tcp, &part, 1));
    await_room(tcp);
}

/* --- In ------------------------------------------------------------------ */

static const char no_packet[] =
    "that is no OpenVPN over TCP: an impossible length of a packet";

/* Gives the owner what is whole. */
static void deliver(struct tcp *tcp, struct instant now)
{
    enum tcp_framing_result result;
    tcp->calling = true;
    do {
        burst_reset(&tcp->received);
        result = tcp_framing_next(&tcp->in, &tcp->received);
        if (result == TCP_FRAMING_PACKETS)
            tcp->owner.received(tcp->owner.context, now, &tcp->received);
    } while (result == TCP_FRAMING_PACKETS && !tcp->closed);
    if (may_go_on(tcp) && result == TCP_FRAMING_BROKEN)
        fail(tcp, now, no_packet);
}

static void hear(struct tcp *tcp, struct instant now)
{
    size_t room;
    uint8_t *space = tcp_framing_space(&tcp->in, &room);
    ssize_t n = recv(tcp->watch.fd, space, room, MSG_DONTWAIT);
    if (n > 0) {
        tcp_framing_received(&tcp->in, (size_t)n);
        deliver(tcp, now);
    } else if (n == 0) {
        fail(tcp, now, "the server closed the connection");
    } else if (errno != EAGAIN && errno != EINTR) {
        fail(tcp, now, strerror(errno));
    }
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct tcp *tcp = context;
    if (events & LOOP_WRITE)
        send_queue(tcp);
    if (tcp->watch.fd >= 0 && events & (LOOP_READ | LOOP_ERROR))
        hear(tcp, now);
}

/* --- Open and close ------------------------------------------------------ */

static void read_mtu(struct tcp *tcp)
{
    uint16_t mtu =
        socket_name_mtu(tcp->watch.fd, tcp->uplink.server.address.family);
    tcp->uplink.mtu = mtu ? mtu : MTU_UNKNOWN;
}

static void dialled(void *context, struct instant now, struct bytes rest)
{
    struct tcp *tcp = context;
    size_t room;
    uint8_t *space = tcp_framing_space(&tcp->in, &room);
    if (rest.size > 0) {
        assert(rest.size <= room);
        memcpy(space, rest.data, rest.size);
        tcp_framing_received(&tcp->in, rest.size);
    }
    tcp->watch.fd = dial_take(&tcp->dial);
    dial_close(&tcp->dial);
    if (loop_add(tcp->loop, &tcp->watch, LOOP_READ) != OK) {
        close(tcp->watch.fd);
        tcp->watch.fd = -1;
        fail(tcp, now, "the event loop takes no more");
        return;
    }
    read_mtu(tcp);
    tcp->calling = true;
    tcp->owner.connected(tcp->owner.context, now);
    if (may_go_on(tcp) && rest.size > 0)
        deliver(tcp, now);
}

static void dial_failed(void *context, struct instant now, const char *why)
{
    fail(context, now, why);
}

static void tcp_close(struct uplink *uplink)
{
    struct tcp *tcp = tcp_of(uplink);
    /* A last word that waits may still find room. */
    if (tcp->watch.fd >= 0)
        send_queue(tcp);
    hang_up(tcp);
    dial_close(&tcp->dial);
    loop_remove_timer(tcp->loop, &tcp->end);
    tcp->closed = true;
    if (!tcp->calling)
        destroy(tcp);
}

static const struct uplink_kind kind = {
    .name = "tcp",
    .send = tcp_send,
    .close = tcp_close,
};

static struct tcp *tcp_new(const struct endpoint *peer, struct loop *loop,
                           const struct uplink_owner *owner)
{
    struct tcp *tcp = calloc(1, sizeof *tcp);
    if (!tcp)
        return NULL;
    bool ipv4 = peer->address.family == ADDRESS_IPV4;
    tcp->uplink.kind = &kind;
    tcp->uplink.server = *peer;
    tcp->uplink.overhead = ipv4 ? IPV4_OVERHEAD : IPV6_OVERHEAD;
    tcp->loop = loop;
    tcp->watch = (struct loop_watch){-1, ready, tcp};
    tcp->end = (struct loop_timer){.expired = end_due, .context = tcp};
    tcp->owner = *owner;
    if (tcp_framing_input_init(&tcp->in, INPUT_SIZE) &&
        tcp_framing_queue_init(&tcp->queue, QUEUE_SIZE, QUEUE_DATA) &&
        burst_init(&tcp->received, 0))
        return tcp;
    destroy(tcp);
    return NULL;
}

struct uplink *tcp_open(const struct endpoint *peer, const struct proxy *proxy,
                        struct loop *loop, const struct uplink_owner *owner,
                        enum error *error)
{
    struct tcp *tcp = tcp_new(peer, loop, owner);
    if (!tcp) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    const struct dial_owner dial_owner = {tcp, dialled, dial_failed};
    *error = dial_open(&tcp->dial, peer, proxy, PROXY_SOCKS_CONNECT, loop,
                       &dial_owner);
    if (*error != OK) {
        destroy(tcp);
        return NULL;
    }
    loop_add_timer(loop, &tcp->end);
    return &tcp->uplink;
}
