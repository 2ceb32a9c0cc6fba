#include "gateway/uplink/tcp_listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/event/acceptor.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/tcp_framing.h"

enum {
    IPV4_OVERHEAD = 20 + 20 + TCP_FRAMING_LENGTH_SIZE,
    IPV6_OVERHEAD = 40 + 20 + TCP_FRAMING_LENGTH_SIZE,
    BACKLOG = 128,
    ACCEPTS = 64, /* before others get their turn */
    INPUT_SIZE = 128 * 1024,
    QUEUE_DATA = 64 * 1024, /* of one connection */
    QUEUE_SIZE = 128 * 1024,
    UNSENT_MOST = 128 * 1024, /* in the kernel, as the client's dial has it */
};

static_assert((int)QUEUE_SIZE >= (int)TCP_FRAMING_QUEUE_LEAST,
              "the end of a packet fits");

struct connection {
    struct tcp_listener *listener;
    struct loop_watch watch;
    uint64_t stream; /* above 32 bits a number, below them the place */
    struct endpoint from;
    bool known;
    bool calling; /* into the owner, */
    bool closed;  /* who hung up meanwhile */
    bool writing; /* we wait for room at the kernel */
    struct instant since;
    struct connection *older, *newer; /* among strangers */
    uint8_t *rest;                    /* owned: the begin of a packet */
    size_t rest_size;
    struct tcp_framing_queue queue; /* memory only while something waits */
};

struct tcp_listener {
    struct loop *loop;
    struct acceptor acceptor;
    struct loop_timer timer; /* the oldest stranger's */
    struct tcp_listener_limits limits;
    struct tcp_listener_owner owner;
    struct connection **places;
    uint32_t *free_places;
    uint32_t capacity, used;
    struct connection *oldest, *newest;
    struct tcp_listener_counters counters;
    struct drop_counters drops;
    struct tcp_framing_input in; /* of whom it is the turn */
    struct burst received;       /* views into it */
    struct tcp_framing_parts parts;
};

uint16_t tcp_listener_overhead(const struct endpoint *to)
{
    return to->address.family == ADDRESS_IPV4 ? IPV4_OVERHEAD : IPV6_OVERHEAD;
}

struct tcp_listener_counters tcp_listener_counters(const struct tcp_listener *l)
{
    return l->counters;
}

const struct drop_counters *tcp_listener_drops(const struct tcp_listener *l)
{
    return &l->drops;
}

/* --- Connections --------------------------------------------------------- */

static struct connection *find(const struct tcp_listener *l, uint64_t stream)
{
    uint32_t place = (uint32_t)stream;
    struct connection *c = place < l->capacity ? l->places[place] : NULL;
    return c && c->stream == stream ? c : NULL;
}

static void plan(struct tcp_listener *l)
{
    loop_timer_set(&l->timer, l->oldest ? instant_after(l->oldest->since,
                                                        l->limits.patience)
                                        : INSTANT_NEVER);
}

static void link_stranger(struct tcp_listener *l, struct connection *c)
{
    c->older = l->newest;
    if (l->newest)
        l->newest->newer = c;
    else
        l->oldest = c;
    l->newest = c;
    l->counters.strangers++;
    plan(l);
}

static void unlink_stranger(struct tcp_listener *l, struct connection *c)
{
    if (c->older)
        c->older->newer = c->newer;
    else
        l->oldest = c->newer;
    if (c->newer)
        c->newer->older = c->older;
    else
        l->newest = c->older;
    c->older = c->newer = NULL;
    l->counters.strangers--;
    plan(l);
}

static void release(struct connection *c)
{
    tcp_framing_queue_clear(&c->queue);
    free(c->rest);
    free(c);
}

/* Its number is free for nobody again, its place is. */
static void end(struct connection *c)
{
    struct tcp_listener *l = c->listener;
    if (c->closed)
        return;
    c->closed = true;
    loop_remove(l->loop, &c->watch);
    close(c->watch.fd);
    if (c->known)
        l->counters.known--;
    else
        unlink_stranger(l, c);
    uint32_t place = (uint32_t)c->stream;
    l->places[place] = NULL;
    l->free_places[--l->used] = place;
    if (!c->calling)
        release(c);
}

/* The same, and its owner is told: the last thing that is done with it. */
static void fail(struct connection *c, struct instant now)
{
    struct tcp_listener *l = c->listener;
    uint64_t stream = c->stream;
    struct endpoint from = c->from;
    bool known = c->known;
    end(c);
    if (known)
        l->owner.ended(l->owner.context, now, stream, &from);
}

void tcp_listener_hang_up(struct tcp_listener *l, uint64_t stream)
{
    struct connection *c = find(l, stream);
    if (c)
        end(c);
}

/* --- Out ----------------------------------------------------------------- */

/* How many bytes the kernel took. A broken connection shows when it is read. */
static size_t put(struct connection *c, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t n = sendmsg(c->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
}

static void await_room(struct connection *c)
{
    bool writing = tcp_framing_queued(&c->queue).size > 0;
    if (!writing)
        tcp_framing_queue_clear(&c->queue);
    if (writing == c->writing)
        return;
    c->writing = writing;
    loop_change(c->listener->loop, &c->watch,
                writing ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void drop_all(struct tcp_listener *l, struct burst *burst,
                     enum drop reason)
{
    for (uint16_t i = 0; i < burst->count; i++) {
        if (burst->datagrams[i].drop != DROP_NONE)
            continue;
        burst->datagrams[i].drop = (uint8_t)reason;
        drop_count(&l->drops, reason);
    }
}

/* The rest of a begun packet must be kept: without memory for it the connection
 * is lost. */
static void keep(struct connection *c, struct burst *burst, size_t sent)
{
    struct tcp_listener *l = c->listener;
    if (!c->queue.memory &&
        !tcp_framing_queue_init(&c->queue, QUEUE_SIZE, QUEUE_DATA)) {
        drop_all(l, burst, DROP_UPLINK_BUSY);
        shutdown(c->watch.fd, SHUT_RDWR); /* which reading it finds */
        return;
    }
    tcp_framing_keep(&c->queue, burst, sent, &l->drops);
}

void tcp_listener_send(struct tcp_listener *l, uint64_t stream,
                       struct burst *burst)
{
    struct connection *c = find(l, stream);
    size_t sent = 0;
    if (!c) {
        drop_all(l, burst, DROP_UPLINK_ERROR);
        return;
    }
    tcp_framing_gather(burst, &l->drops, &l->parts);
    if (l->parts.count == 0)
        return;
    if (!c->queue.memory)
        sent = put(c, l->parts.parts, l->parts.count);
    if (sent < l->parts.size)
        keep(c, burst, sent);
    await_room(c);
}

static void send_queue(struct connection *c)
{
    size_t size = tcp_framing_queued(&c->queue).size;
    if (size > 0) {
        struct iovec part = {c->queue.memory + c->queue.start, size};
        tcp_framing_sent(&c->queue, put(c, &part, 1));
    }
    await_room(c);
}

/* --- In ------------------------------------------------------------------ */

/* The begun part of a packet waits at its connection. */
static bool save_rest(struct connection *c)
{
    const struct tcp_framing_input *in = &c->listener->in;
    size_t size = in->end - in->start;
    free(c->rest);
    c->rest_size = size;
    c->rest = size ? malloc(size) : NULL;
    if (size && !c->rest)
        return false;
    if (size)
        memcpy(c->rest, in->memory + in->start, size);
    return true;
}

/* Gives the owner what is whole; false if no more can come. */
static bool deliver(struct connection *c, struct instant now)
{
    struct tcp_listener *l = c->listener;
    enum tcp_framing_result result;
    bool known = c->known;
    c->calling = true;
    do {
        burst_reset(&l->received);
        result = tcp_framing_next(&l->in, &l->received);
        if (result == TCP_FRAMING_PACKETS)
            known |= l->owner.received(l->owner.context, now, c->stream,
                                       &c->from, &l->received);
    } while (result == TCP_FRAMING_PACKETS && !c->closed);
    c->calling = false;
    if (known && !c->known && !c->closed) {
        unlink_stranger(l, c);
        c->known = true;
        l->counters.known++;
    }
    return result != TCP_FRAMING_BROKEN;
}

static void hear(struct connection *c, struct instant now)
{
    struct tcp_framing_input *in = &c->listener->in;
    size_t room;
    in->start = in->end = 0;
    if (c->rest_size)
        memcpy(in->memory, c->rest, c->rest_size);
    tcp_framing_received(in, c->rest_size);
    uint8_t *space = tcp_framing_space(in, &room);
    ssize_t n = recv(c->watch.fd, space, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        fail(c, now);
        return;
    }
    tcp_framing_received(in, (size_t)n);
    bool good = deliver(c, now);
    if (c->closed)
        release(c);
    else if (!good || !save_rest(c))
        fail(c, now);
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct connection *c = context;
    if (events & LOOP_WRITE)
        send_queue(c);
    if (events & (LOOP_READ | LOOP_ERROR))
        hear(c, now);
}

/* --- Who comes in -------------------------------------------------------- */

static void push_out(struct connection *c)
{
    c->listener->counters.pushed_out++;
    end(c);
}

/* So that one address cannot push out all others. */
static void make_room(struct tcp_listener *l, const struct address *from)
{
    uint32_t same = 0;
    struct connection *first = NULL;
    for (struct connection *c = l->newest; c; c = c->older) {
        if (!address_equal(&c->from.address, from))
            continue;
        first = c;
        same++;
    }
    if (same >= l->limits.strangers_of_one)
        push_out(first);
    else if (l->counters.strangers >= l->limits.strangers)
        push_out(l->oldest);
}

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

static void take(struct tcp_listener *l, struct instant now, int fd,
                 const struct endpoint *from)
{
    make_room(l, &from->address);
    struct connection *c = l->used < l->capacity ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        drop_count(&l->drops, DROP_SERVER_FULL);
        close(fd);
        return;
    }
    c->listener = l;
    c->watch = (struct loop_watch){fd, ready, c};
    c->from = *from;
    c->since = now;
    if (loop_add(l->loop, &c->watch, LOOP_READ) != OK) {
        close(fd);
        free(c);
        return;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MOST);
    uint32_t place = l->free_places[l->used++];
    c->stream = ++l->counters.accepted << 32 | place;
    l->places[place] = c;
    link_stranger(l, c);
}

static void came(void *context, struct instant now, int fd)
{
    struct tcp_listener *l = context;
    union socket_name name;
    socklen_t size = sizeof name;
    if (getpeername(fd, &name.any, &size) != 0) {
        close(fd); /* it broke meanwhile */
        return;
    }
    const struct endpoint from = socket_name_endpoint(&name);
    take(l, now, fd, &from);
}

/* One of the unknown clients makes room. */
static void starved(void *context, struct instant now, bool again)
{
    struct tcp_listener *l = context;
    (void)now;
    if (!again)
        log_warn("tcp: no more connections: %s", strerror(errno));
    if (l->oldest)
        push_out(l->oldest);
}

static void time_is_over(void *context, struct instant now)
{
    struct tcp_listener *l = context;
    while (l->oldest &&
           instant_reached(
               now, instant_after(l->oldest->since, l->limits.patience))) {
        l->counters.timed_out++;
        end(l->oldest);
    }
    plan(l);
}

/* --- Open and close ------------------------------------------------------ */

static int open_socket(const struct endpoint *local)
{
    bool ipv4 = local->address.family == ADDRESS_IPV4;
    bool both = local->address.family == ADDRESS_NONE;
    struct endpoint any = *local;
    union socket_name name;
    if (both)
        any.address.family = ADDRESS_IPV6;
    socklen_t size = socket_name_of(&any, &name);
    int fd = socket(ipv4 ? AF_INET : AF_INET6,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!ipv4)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
    if (bind(fd, &name.any, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* Every host has IPv4; IPv6 may be switched off. */
static int open_any(const struct endpoint *local)
{
    int fd = open_socket(local);
    if (fd >= 0 || local->address.family != ADDRESS_NONE)
        return fd;
    const struct endpoint ipv4 = {address_ipv4(0), local->port};
    return open_socket(&ipv4);
}

static bool init_places(struct tcp_listener *l)
{
    l->capacity = l->limits.known + l->limits.strangers;
    l->places = calloc(l->capacity, sizeof *l->places);
    l->free_places = calloc(l->capacity, sizeof *l->free_places);
    if (!l->places || !l->free_places)
        return false;
    for (uint32_t i = 0; i < l->capacity; i++)
        l->free_places[i] = i;
    return tcp_framing_input_init(&l->in, INPUT_SIZE) &&
           burst_init(&l->received, 0);
}

static void clear(struct tcp_listener *l)
{
    tcp_framing_input_clear(&l->in);
    burst_clear(&l->received);
    free(l->places);
    free(l->free_places);
    free(l);
}

static void say_why(const struct endpoint *local)
{
    char text[ENDPOINT_TEXT_SIZE];
    if (address_is_set(&local->address))
        log_error("tcp: cannot listen on %s: %s", endpoint_format(local, text),
                  strerror(errno));
    else
        log_error("tcp: cannot listen on port %u: %s", local->port,
                  strerror(errno));
}

struct tcp_listener *tcp_listener_open(const struct endpoint *local,
                                       struct loop *loop,
                                       const struct tcp_listener_limits *limits,
                                       const struct tcp_listener_owner *owner,
                                       enum error *error)
{
    struct tcp_listener *l = calloc(1, sizeof *l);
    *error = ERROR_MEMORY;
    if (!l)
        return NULL;
    l->loop = loop;
    l->limits = *limits;
    l->owner = *owner;
    if (!init_places(l)) {
        clear(l);
        return NULL;
    }
    const struct acceptor_owner doors = {l, came, starved};
    int fd = open_any(local);
    *error = fd < 0 ? error_of_errno(errno)
                    : acceptor_open(&l->acceptor, loop, fd, ACCEPTS, &doors);
    if (*error != OK) {
        say_why(local);
        if (fd >= 0)
            close(fd);
        clear(l);
        return NULL;
    }
    l->timer = (struct loop_timer){INSTANT_NEVER, time_is_over, l, NULL};
    loop_add_timer(loop, &l->timer);
    return l;
}

void tcp_listener_close(struct tcp_listener *l)
{
    if (!l)
        return;
    for (uint32_t i = 0; i < l->capacity; i++)
        if (l->places[i])
            end(l->places[i]);
    acceptor_close(&l->acceptor);
    loop_remove_timer(l->loop, &l->timer);
    clear(l);
}
