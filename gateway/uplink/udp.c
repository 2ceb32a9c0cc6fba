/*
 * Out: datagrams that lie back to back and are of one size, the last one
 * perhaps shorter, are a run; a run is one message with UDP_SEGMENT, and the
 * runs of a burst are one sendmmsg(). In: one recvmmsg() into buffers each of
 * which holds a train that UDP_GRO joined, taken apart again as views.
 */
#include "gateway/uplink/udp.h"
#include "gateway/base/log.h"
#include "gateway/uplink/socket_name.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IPV4_OVERHEAD = 20 + 8,
    IPV6_OVERHEAD = 40 + 8,
    PAYLOAD_MAX = 65507, /* of one message, IPv4's limit */
    BUFFER_SIZE = 65536,
    BUFFERS = 8,
    RUNS_MAX = 64, /* of one sendmmsg() */
    SOCKET_BUFFER = 4 << 20,
    MTU_UNKNOWN = 1500,
};

struct control {
    _Alignas(struct cmsghdr) uint8_t space[CMSG_SPACE(sizeof(int))];
};

/* Datagrams first .. first + count - 1 of a burst, as one message. */
struct run {
    uint16_t first;
    uint16_t count;
};

struct udp {
    struct uplink uplink; /* first */
    struct loop *loop;
    struct loop_watch watch;
    struct loop_timer start; /* tells connected() */
    struct uplink_owner owner;
    bool calling;  /* into the owner, */
    bool closed;   /* who closed us meanwhile */
    bool segments; /* the path can do UDP_SEGMENT */
    uint64_t icmp_errors;
    int last_refusal;               /* errno of the last send that was logged */
    uint8_t header[UDP_HEADER_MAX]; /* in front of each that is sent */
    uint16_t header_size;
    struct iovec out_parts[2 * BURST_DATAGRAMS_MAX];
    uint8_t *memory; /* BUFFERS of BUFFER_SIZE */
    struct mmsghdr in[BUFFERS];
    struct iovec in_parts[BUFFERS];
    struct control in_controls[BUFFERS];
    struct burst received; /* views into `memory` */
};

_Static_assert(offsetof(struct udp, uplink) == 0, "an uplink is its start");

static struct udp *udp_of(struct uplink *uplink)
{
    return (struct udp *)uplink;
}

/* --- Out ----------------------------------------------------------------- */

static void read_mtu(struct udp *udp)
{
    bool ipv4 = udp->uplink.server.address.family == ADDRESS_IPV4;
    int mtu;
    socklen_t size = sizeof mtu;
    if (getsockopt(udp->watch.fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                   ipv4 ? IP_MTU : IPV6_MTU, &mtu, &size) != 0)
        mtu = MTU_UNKNOWN;
    udp->uplink.mtu = (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu);
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

static void drop_run(struct udp *udp, struct burst *burst, struct run run,
                     enum drop reason)
{
    for (uint16_t i = run.first; i < run.first + run.count; i++) {
        burst->datagrams[i].drop = (uint8_t)reason;
        drop_count(&udp->uplink.drops, reason);
    }
}

/* The longest run of the burst that starts at or behind `from`; count 0:
 * nothing is left. */
static struct run next_run(const struct udp *udp, const struct burst *burst,
                           uint16_t from)
{
    const struct datagram *all = burst->datagrams;
    while (from < burst->count && all[from].drop != DROP_NONE)
        from++;
    struct run run = {from, 0};
    if (from == burst->count)
        return run;
    run.count = 1;

    uint16_t size = all[from].size;
    uint32_t total = (uint32_t)size + udp->header_size;
    if (!udp->segments || size == 0 ||
        size + udp->uplink.overhead > udp->uplink.mtu)
        return run;
    for (uint16_t i = (uint16_t)(from + 1); i < burst->count; i++) {
        const struct datagram *d = &all[i];
        const struct datagram *before = &all[i - 1];
        total += (uint32_t)d->size + udp->header_size;
        if (d->drop != DROP_NONE || d->data != before->data + before->size ||
            d->size == 0 || d->size > size || before->size < size ||
            total > PAYLOAD_MAX || run.count == BURST_SEGMENTS_MAX)
            break;
        run.count++;
    }
    return run;
}

/* The run's bytes; how many parts they are. */
static size_t gather(struct udp *udp, const struct burst *burst, struct run run,
                     struct iovec *parts)
{
    const struct datagram *first = &burst->datagrams[run.first];
    const struct datagram *last = first + run.count - 1;
    size_t count = 0;
    if (udp->header_size == 0) {
        parts[0] = (struct iovec){
            first->data, (size_t)(last->data - first->data) + last->size};
        return 1;
    }
    for (const struct datagram *d = first; d <= last; d++) {
        parts[count++] = (struct iovec){udp->header, udp->header_size};
        parts[count++] = (struct iovec){d->data, d->size};
    }
    return count;
}

/* How many of the parts it took. */
static size_t make_message(struct udp *udp, const struct burst *burst,
                           struct run run, struct msghdr *message,
                           struct iovec *parts, struct control *control)
{
    size_t count = gather(udp, burst, run, parts);
    *message = (struct msghdr){.msg_iov = parts, .msg_iovlen = count};
    if (run.count == 1)
        return count;
    uint16_t size =
        (uint16_t)(burst->datagrams[run.first].size + udp->header_size);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof(uint16_t));
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    memcpy(CMSG_DATA(header), &size, sizeof size);
    return count;
}

static enum drop send_single(struct udp *udp, const struct burst *burst,
                             uint16_t index)
{
    struct iovec parts[2];
    struct msghdr message;
    make_message(udp, burst, (struct run){index, 1}, &message, parts, NULL);
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

static void send_singly(struct udp *udp, struct burst *burst, struct run run)
{
    for (uint16_t i = run.first; i < run.first + run.count; i++) {
        enum drop reason = send_single(udp, burst, i);
        if (reason != DROP_NONE)
            drop_run(udp, burst, (struct run){i, 1}, reason);
    }
}

/* The system took none of the run; the answer to why. */
static void run_refused(struct udp *udp, struct burst *burst, struct run run,
                        int number)
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
                      const struct run *runs, unsigned count)
{
    struct mmsghdr messages[RUNS_MAX];
    struct control controls[RUNS_MAX];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++)
        used += make_message(udp, burst, runs[i], &messages[i].msg_hdr,
                             udp->out_parts + used, &controls[i]);

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

static void udp_send(struct uplink *uplink, struct burst *burst)
{
    struct udp *udp = udp_of(uplink);
    struct run runs[RUNS_MAX];
    uint16_t from = 0;
    unsigned count;
    do {
        for (count = 0; count < RUNS_MAX; count++) {
            runs[count] = next_run(udp, burst, from);
            if (runs[count].count == 0)
                break;
            from = (uint16_t)(runs[count].first + runs[count].count);
        }
        if (count)
            send_runs(udp, burst, runs, count);
    } while (count == RUNS_MAX);
}

/* --- In ------------------------------------------------------------------ */

static void destroy(struct udp *udp)
{
    free(udp->memory);
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

static uint16_t train_segment_size(struct msghdr *message, size_t size)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int value = 0;
    if (header && header->cmsg_level == SOL_UDP &&
        header->cmsg_type == UDP_GRO &&
        header->cmsg_len >= CMSG_LEN(sizeof value))
        memcpy(&value, CMSG_DATA(header), sizeof value);
    return (uint16_t)(value > 0 && (size_t)value < size ? (size_t)value : size);
}

static bool deliver(struct udp *udp, struct instant now)
{
    if (udp->received.count && !udp->closed)
        udp->owner.received(udp->owner.context, now, &udp->received);
    burst_reset(&udp->received);
    return !udp->closed;
}

/* Datagrams of the train as views; a full burst is delivered in between. */
static bool take_train(struct udp *udp, struct instant now, uint8_t *data,
                       size_t size, uint16_t segment_size)
{
    if (size == 0)
        drop_count(&udp->uplink.drops, DROP_OPCODE);
    for (size_t at = 0; at < size; at += segment_size) {
        size_t left = size - at;
        uint16_t here = left < segment_size ? (uint16_t)left : segment_size;
        if (burst_add_view(&udp->received, data + at, here))
            continue;
        if (!deliver(udp, now) ||
            !burst_add_view(&udp->received, data + at, here))
            return false;
    }
    return true;
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct udp *udp = context;
    (void)events;
    for (size_t i = 0; i < BUFFERS; i++) {
        udp->in_parts[i].iov_len = BUFFER_SIZE;
        udp->in[i].msg_hdr.msg_controllen = sizeof udp->in_controls[i];
    }
    int count = recvmmsg(udp->watch.fd, udp->in, BUFFERS, MSG_DONTWAIT, NULL);
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
        size_t size = udp->in[i].msg_len;
        uint16_t segment = train_segment_size(&udp->in[i].msg_hdr, size);
        open = take_train(udp, now, udp->in_parts[i].iov_base, size, segment);
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

static bool connect_to(int fd, const struct endpoint *server)
{
    union socket_name name;
    socklen_t size = socket_name_of(server, &name);
    return connect(fd, &name.any, size) == 0;
}

/* The forced form passes the system's limit and needs CAP_NET_ADMIN. */
static void set_buffer(int fd, int forced, int plain)
{
    int size = SOCKET_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static int open_socket(const struct endpoint *server)
{
    bool ipv4 = server->address.family == ADDRESS_IPV4;
    int on = 1;
    int mtu = ipv4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_WANT;
    int fd = socket(ipv4 ? AF_INET : AF_INET6,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    /* A kernel without it gives datagrams one by one. */
    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    if (setsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                   ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &mtu,
                   sizeof mtu) == 0 &&
        connect_to(fd, server))
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
    udp->memory = malloc((size_t)BUFFERS * BUFFER_SIZE);
    if (!udp->memory || !burst_init(&udp->received, 0)) {
        destroy(udp);
        return NULL;
    }
    for (size_t i = 0; i < BUFFERS; i++) {
        udp->in_parts[i].iov_base = udp->memory + i * BUFFER_SIZE;
        udp->in[i].msg_hdr = (struct msghdr){
            .msg_iov = &udp->in_parts[i],
            .msg_iovlen = 1,
            .msg_control = &udp->in_controls[i],
        };
    }
    return udp;
}

struct uplink *udp_open(const struct endpoint *server, struct loop *loop,
                        const struct uplink_owner *owner, enum error *error)
{
    return udp_open_with_header(server, bytes_of(NULL, 0), loop, owner, error);
}

struct uplink *udp_open_with_header(const struct endpoint *server,
                                    struct bytes header, struct loop *loop,
                                    const struct uplink_owner *owner,
                                    enum error *error)
{
    char text[ENDPOINT_TEXT_SIZE];
    assert(address_is_set(&server->address));
    struct udp *udp = udp_new(server, header, loop, owner);
    if (!udp) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    udp->watch.fd = open_socket(server);
    *error = udp->watch.fd < 0 ? error_of_errno(errno)
                               : loop_add(loop, &udp->watch, LOOP_READ);
    if (*error != OK) {
        log_warn("udp: %s: %s", endpoint_format(server, text), strerror(errno));
        if (udp->watch.fd >= 0)
            close(udp->watch.fd);
        destroy(udp);
        return NULL;
    }
    read_mtu(udp);
    loop_add_timer(loop, &udp->start);
    loop_timer_set(&udp->start, loop_now(loop));
    return &udp->uplink;
}
