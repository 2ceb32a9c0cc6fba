#include "gateway/uplink/udp.h"
#include "gateway/base/log.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/uplink/udp_aims.h"
#include "gateway/uplink/udp_train.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IPV4_OVERHEAD = 20 + 8,
    IPV6_OVERHEAD = 40 + 8,
    MTU_UNKNOWN = 1500,
    MTU_LEAST = 1280,   /* no real path is narrower, only forged ones are */
    MTU_LOOK_EVERY = 1, /* s */
    FRAGMENTS_TELL_FOR = 600, /* s; as long as Linux believes ICMP */
    FRAGMENT_UNIT = 8 /* of what they carry, so some are less than the MTU */
};

struct udp {
    struct uplink uplink; /* first */
    struct loop *loop;
    struct loop_watch watch;
    struct loop_timer start; /* tells connected() */
    struct uplink_owner owner;
    bool calling;           /* into the owner, */
    bool closed;            /* who closed us meanwhile */
    bool segments;          /* the path can do UDP_SEGMENT */
    uint16_t route_mtu;     /* the system's word, with which it measures */
    struct instant look;    /* at the MTU again, when there is traffic */
    struct udp_aims *aims;  /* NULL: the socket is connected */
    unsigned endpoint;      /* that is `server' */
    uint16_t fragment_size; /* of what is received; 0: it came whole */
    uint16_t fragment_mtu;  /* what the server's came in, */
    struct instant fragments_tell_until; /* then */
    uint64_t icmp_errors;
    int last_refusal;               /* errno of the last send that was logged */
    uint8_t header[UDP_HEADER_MAX]; /* in front of each that is sent */
    uint16_t header_size;
    struct iovec out_parts[2 * BURST_DATAGRAMS_MAX];
    struct udp_inbox inbox;
    struct burst received; /* views into the inbox */
};

static_assert(offsetof(struct udp, uplink) == 0, "an uplink is its start");

static struct udp *udp_of(struct uplink *uplink)
{
    return (struct udp *)uplink;
}

/* --- Out ----------------------------------------------------------------- */

/* As the system knows it; 0: it does not. */
static uint16_t system_mtu(const struct udp *udp)
{
    return udp->aims ? udp_aims_mtu(udp->aims)
                     : socket_name_mtu(udp->watch.fd,
                                       udp->uplink.server.address.family);
}

static void read_mtu(struct udp *udp)
{
    udp->look =
        instant_after(loop_now(udp->loop), duration_seconds(MTU_LOOK_EVERY));
    uint16_t least = system_mtu(udp);
    if (least == 0)
        return;
    if (least != udp->route_mtu) /* another way */
        udp->fragments_tell_until = (struct instant){0};
    udp->route_mtu = least;
    if (udp->fragment_mtu < least &&
        instant_before(loop_now(udp->loop), udp->fragments_tell_until))
        least = udp->fragment_mtu;
    udp->uplink.mtu = least < MTU_LEAST ? MTU_LEAST : least;
}

/* Errors that ICMP messages leave at the socket for the next call; some of
 * them the system's own routes give as well. */
static bool is_from_icmp(int number)
{
    return number == ECONNREFUSED || number == EHOSTUNREACH ||
           number == ENETUNREACH || number == EHOSTDOWN ||
           number == ENOPROTOOPT || number == EPROTO || number == EACCES;
}

static void note_icmp(struct udp *udp, int number)
{
    char server[ENDPOINT_TEXT_SIZE];
    udp->uplink.refusals += number == ECONNREFUSED;
    if (udp->icmp_errors++ == 0)
        log_info("udp: %s: %s; going on, for ICMP may be forged",
                 endpoint_format(&udp->uplink.server, server),
                 strerror(number));
}

static void note_refusal(struct udp *udp, int number)
{
    char server[ENDPOINT_TEXT_SIZE];
    if (number == udp->last_refusal)
        return;
    udp->last_refusal = number;
    log_warn("udp: cannot send to %s: %s",
             endpoint_format(&udp->uplink.server, server), strerror(number));
}

static void drop_run(struct udp *udp, struct burst *burst, struct udp_run run,
                     enum drop reason)
{
    for (uint16_t i = run.first; i < run.first + run.count; i++) {
        burst->datagrams[i].drop = (uint8_t)reason;
        drop_count(&udp->uplink.drops, reason);
    }
}

/* The largest datagram that may be part of a run. */
static uint16_t segment_max(const struct udp *udp)
{
    return udp->segments && udp->route_mtu > udp->uplink.overhead
               ? (uint16_t)(udp->route_mtu - udp->uplink.overhead)
               : 0;
}

static struct bytes header_of(const struct udp *udp)
{
    return bytes_of(udp->header, udp->header_size);
}

/* The destination and the marks of a datagram. */
static void address_message(const struct udp *udp, const struct burst *burst,
                            struct udp_run run, struct msghdr *message,
                            struct udp_control *control)
{
    enum address_family to = udp->uplink.server.address.family;
    if (udp->aims)
        to = udp_aims_address(udp->aims, burst->datagrams[run.first].endpoint,
                              message);
    udp_run_mark(burst, run, to, message, control);
}

static enum drop send_single(struct udp *udp, const struct burst *burst,
                             uint16_t index)
{
    struct iovec parts[2];
    struct msghdr message;
    struct udp_control control;
    struct udp_run one = {index, 1};
    udp_run_message(burst, one, header_of(udp), &message, parts, NULL);
    address_message(udp, burst, one, &message, &control);
    /* Once more, because the first may only have fetched what ICMP left. */
    for (int attempt = 0; attempt < 2; attempt++) {
        if (sendmsg(udp->watch.fd, &message, MSG_DONTWAIT) >= 0)
            return DROP_NONE;
        switch (errno) {
        case EAGAIN:
        case ENOBUFS:
            return DROP_UPLINK_BUSY;
        case EMSGSIZE:
            read_mtu(udp);
            return DROP_UPLINK_TOO_BIG;
        default:
            if (!is_from_icmp(errno)) {
                note_refusal(udp, errno);
                return DROP_UPLINK_ERROR;
            }
            note_icmp(udp, errno);
        }
    }
    return DROP_UPLINK_ERROR;
}

static void send_singly(struct udp *udp, struct burst *burst,
                        struct udp_run run)
{
    for (uint16_t i = run.first; i < run.first + run.count; i++) {
        enum drop reason = send_single(udp, burst, i);
        if (reason != DROP_NONE)
            drop_run(udp, burst, (struct udp_run){i, 1}, reason);
    }
}

/* The system took none of the run; the answer to why. */
static void run_refused(struct udp *udp, struct burst *burst,
                        struct udp_run run, int number)
{
    if (number == EAGAIN || number == ENOBUFS) {
        drop_run(udp, burst, run, DROP_UPLINK_BUSY);
        return;
    }
    if (is_from_icmp(number))
        note_icmp(udp, number);
    if (number == EMSGSIZE || number == EINVAL)
        read_mtu(udp);
    if (number == EIO && udp->segments) {
        /* Linux's word for a device that cannot fill checksums. */
        log_info("udp: the device cannot segment; sending singly");
        udp->segments = false;
    }
    send_singly(udp, burst, run);
}

static void send_runs(struct udp *udp, struct burst *burst,
                      const struct udp_run *runs, unsigned count)
{
    struct mmsghdr messages[UDP_RUNS_MAX];
    struct udp_control controls[UDP_RUNS_MAX];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        used += udp_run_message(burst, runs[i], header_of(udp),
                                &messages[i].msg_hdr, udp->out_parts + used,
                                &controls[i]);
        address_message(udp, burst, runs[i], &messages[i].msg_hdr,
                        &controls[i]);
    }

    unsigned done = 0;
    while (done < count) {
        int sent = sendmmsg(udp->watch.fd, messages + done, count - done,
                            MSG_DONTWAIT);
        if (sent > 0) {
            done += (unsigned)sent;
            continue;
        }
        run_refused(udp, burst, runs[done], errno);
        done++;
    }
}

static void drop_aimless(struct udp *udp, struct burst *burst)
{
    struct msghdr unused;
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct datagram *d = &burst->datagrams[i];
        if (d->drop == DROP_NONE &&
            udp_aims_address(udp->aims, d->endpoint, &unused) == ADDRESS_NONE)
            drop_run(udp, burst, (struct udp_run){i, 1}, DROP_UPLINK_NOWHERE);
    }
}

static void udp_send(struct uplink *uplink, struct burst *burst)
{
    struct udp *udp = udp_of(uplink);
    struct udp_run runs[UDP_RUNS_MAX];
    uint16_t from = 0;
    unsigned count;
    if (instant_reached(loop_now(udp->loop), udp->look))
        read_mtu(udp);
    if (udp->aims)
        drop_aimless(udp, burst);
    do {
        for (count = 0; count < UDP_RUNS_MAX; count++) {
            runs[count] =
                udp_run_next(burst, from, udp->header_size, segment_max(udp));
            if (runs[count].count == 0)
                break;
            from = (uint16_t)(runs[count].first + runs[count].count);
        }
        if (count)
            send_runs(udp, burst, runs, count);
    } while (count == UDP_RUNS_MAX);
}

/* --- In ------------------------------------------------------------------ */

static void destroy(struct udp *udp)
{
    udp_inbox_clear(&udp->inbox);
    free(udp->aims);
    burst_clear(&udp->received);
    free(udp);
}

/* False: the owner has closed us, and `udp` is no more. */
static bool may_go_on(struct udp *udp)
{
    udp->calling = false;
    if (!udp->closed)
        return true;
    destroy(udp);
    return false;
}

/* Somewhere the way to us is no wider than that, and ways back mostly are as
 * ways there. Fragments that anybody can have sent teach nothing. */
static void learn_from_fragments(struct udp *udp, struct instant now)
{
    bool known = udp->fragment_size + FRAGMENT_UNIT > udp->route_mtu;
    if (known || (instant_before(now, udp->fragments_tell_until) &&
                  udp->fragment_size > udp->fragment_mtu))
        return;
    udp->fragment_mtu = udp->fragment_size;
    udp->fragments_tell_until =
        instant_after(now, duration_seconds(FRAGMENTS_TELL_FOR));
    read_mtu(udp);
}

static bool deliver(struct udp *udp, struct instant now)
{
    if (udp->received.count && !udp->closed) {
        udp->owner.received(udp->owner.context, now, &udp->received);
        if (udp->fragment_size > 0 && !udp->closed &&
            burst_is_proven(&udp->received))
            learn_from_fragments(udp, now);
    }
    burst_reset(&udp->received);
    return !udp->closed;
}

/* Datagrams of the train as views; a full burst is delivered in between. */
static bool take_train(struct udp *udp, struct instant now,
                       const struct udp_train *train)
{
    size_t at = 0;
    if (train->size == 0)
        drop_count(&udp->uplink.drops, DROP_OPCODE);
    /* Packets that are given to the owner together have one source and came
     * alike. */
    struct endpoint *source = &udp->received.source;
    bool other = udp->aims && !endpoint_equal(&train->source, source);
    if ((other || train->fragment_size != udp->fragment_size) &&
        !deliver(udp, now))
        return false;
    if (udp->aims)
        *source = train->source;
    udp->fragment_size = train->fragment_size;
    while (!udp_train_take(train, &at, &udp->received))
        if (!deliver(udp, now))
            return false;
    return true;
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct udp *udp = context;
    (void)events;
    int count = udp_inbox_receive(&udp->inbox, udp->watch.fd);
    if (count < 0) {
        if (is_from_icmp(errno))
            note_icmp(udp, errno);
        else if (errno == EMSGSIZE)
            read_mtu(udp);
        else if (errno != EAGAIN && errno != EINTR)
            note_refusal(udp, errno);
        return;
    }

    udp->calling = true;
    bool open = true;
    for (int i = 0; open && i < count; i++) {
        struct udp_train train = udp_inbox_train(&udp->inbox, i);
        open = take_train(udp, now, &train);
    }
    if (open)
        deliver(udp, now);
    may_go_on(udp);
}

/* --- Open and close ------------------------------------------------------ */

static void tell_connected(void *context, struct instant now)
{
    struct udp *udp = context;
    udp->calling = true;
    udp->owner.connected(udp->owner.context, now);
    may_go_on(udp);
}

static void udp_close(struct uplink *uplink)
{
    struct udp *udp = udp_of(uplink);
    char server[ENDPOINT_TEXT_SIZE];
    if (udp->icmp_errors > 1)
        log_info("udp: %s: refused or unreachable %llu times",
                 endpoint_format(&uplink->server, server),
                 (unsigned long long)udp->icmp_errors);
    loop_remove_timer(udp->loop, &udp->start);
    loop_remove(udp->loop, &udp->watch);
    close(udp->watch.fd);
    udp->closed = true;
    if (!udp->calling)
        destroy(udp);
}

static const struct uplink_kind kind = {
    .name = "udp",
    .send = udp_send,
    .close = udp_close,
};

/* --- Without a connection ------------------------------------------------ */

static void udp_aim(struct uplink *uplink, unsigned endpoint,
                    const struct endpoint *to)
{
    struct udp *udp = udp_of(uplink);
    char before[ENDPOINT_TEXT_SIZE], after[ENDPOINT_TEXT_SIZE];
    udp_aims_set(udp->aims, endpoint, to);
    uplink->overhead =
        udp_aims_has_ipv6(udp->aims) ? IPV6_OVERHEAD : IPV4_OVERHEAD;
    udp->look = (struct instant){0};
    if (endpoint != udp->endpoint || !address_is_set(&to->address) ||
        endpoint_equal(to, &uplink->server))
        return;
    log_info("udp: the server %s is at %s now",
             endpoint_format(&uplink->server, before),
             endpoint_format(to, after));
    uplink->server = *to;
}

static const struct uplink_kind unconnected_kind = {
    .name = "udp",
    .send = udp_send,
    .aim = udp_aim,
    .close = udp_close,
};

static bool connect_to(int fd, const struct endpoint *server)
{
    union socket_name name;
    socklen_t size = socket_name_of(server, &name);
    return connect(fd, &name.any, size) == 0;
}

static int open_socket(const struct endpoint *server)
{
    bool ipv4 = server->address.family == ADDRESS_IPV4;
    int fd = udp_socket_open(ipv4 ? UDP_IPV4 : UDP_IPV6);
    if (fd < 0 || connect_to(fd, server))
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static struct udp *udp_new(const struct endpoint *server, struct bytes header,
                           struct loop *loop, const struct uplink_owner *owner)
{
    assert(header.size <= UDP_HEADER_MAX);
    struct udp *udp = calloc(1, sizeof *udp);
    if (!udp)
        return NULL;
    bool ipv4 = server->address.family == ADDRESS_IPV4;
    udp->uplink.kind = &kind;
    udp->uplink.server = *server;
    udp->header_size = (uint16_t)header.size;
    if (header.size > 0)
        memcpy(udp->header, header.data, header.size);
    udp->uplink.overhead =
        (uint16_t)((ipv4 ? IPV4_OVERHEAD : IPV6_OVERHEAD) + header.size);
    udp->loop = loop;
    udp->watch = (struct loop_watch){-1, ready, udp};
    udp->start = (struct loop_timer){.expired = tell_connected, .context = udp};
    udp->owner = *owner;
    udp->segments = true;
    udp->uplink.mtu = udp->route_mtu = MTU_UNKNOWN;
    if (!udp_inbox_init(&udp->inbox) || !burst_init(&udp->received, 0)) {
        destroy(udp);
        return NULL;
    }
    return udp;
}

struct uplink *udp_open(const struct endpoint *server, struct loop *loop,
                        const struct uplink_owner *owner, enum error *error)
{
    return udp_open_with_header(server, bytes_of(NULL, 0), loop, owner, error);
}

/* Takes the socket; -1 and errno for none. */
static struct uplink *stand(struct udp *udp, int fd, enum error *error)
{
    char text[ENDPOINT_TEXT_SIZE];
    udp->watch.fd = fd;
    *error = fd < 0 ? error_of_errno(errno)
                    : loop_add(udp->loop, &udp->watch, LOOP_READ);
    if (*error != OK) {
        log_warn("udp: %s: %s", endpoint_format(&udp->uplink.server, text),
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        destroy(udp);
        return NULL;
    }
    read_mtu(udp);
    loop_add_timer(udp->loop, &udp->start);
    loop_timer_set(&udp->start, loop_now(udp->loop));
    return &udp->uplink;
}

struct uplink *udp_open_unconnected(unsigned endpoint,
                                    const struct endpoint *server,
                                    struct loop *loop,
                                    const struct uplink_owner *owner,
                                    enum error *error)
{
    struct udp *udp = udp_new(server, bytes_of(NULL, 0), loop, owner);
    *error = ERROR_MEMORY;
    if (!udp)
        return NULL;
    udp->aims = calloc(1, sizeof *udp->aims);
    if (!udp->aims) {
        destroy(udp);
        return NULL;
    }
    udp->uplink.kind = &unconnected_kind;
    udp->endpoint = endpoint;
    return stand(udp, udp_aims_open(udp->aims, endpoint, server), error);
}

struct uplink *udp_open_with_header(const struct endpoint *server,
                                    struct bytes header, struct loop *loop,
                                    const struct uplink_owner *owner,
                                    enum error *error)
{
    assert(address_is_set(&server->address));
    struct udp *udp = udp_new(server, header, loop, owner);
    *error = ERROR_MEMORY;
    return udp ? stand(udp, open_socket(server), error) : NULL;
}
