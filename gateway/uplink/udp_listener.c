#include "gateway/uplink/udp_listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/uplink/udp_train.h"

enum {
    IPV4_OVERHEAD = 20 + 8,
    IPV6_OVERHEAD = 40 + 8,
    OUTER_MTU = 1500, /* what is larger IP has to cut, and the kernel makes no
                         run of such */
    ROUNDS = 4,       /* of receiving, before others get their turn */
};

struct udp_listener {
    struct loop *loop;
    struct loop_watch watch;
    udp_listener_received *received;
    void *context;
    bool both;     /* families: an IPv6 socket with mapped addresses */
    bool segments; /* every device so far could do UDP_SEGMENT */
    int last_refusal;
    struct drop_counters drops;
    struct udp_inbox inbox;
    struct burst burst; /* views into the inbox */
};

uint16_t udp_listener_overhead(const struct endpoint *to)
{
    return to->address.family == ADDRESS_IPV4 ? IPV4_OVERHEAD : IPV6_OVERHEAD;
}

const struct drop_counters *udp_listener_drops(const struct udp_listener *l)
{
    return &l->drops;
}

/* --- Out ----------------------------------------------------------------- */

struct destination {
    union socket_name address;
    socklen_t size;
};

static void drop(struct udp_listener *l, struct datagram *d, enum drop reason)
{
    d->drop = (uint8_t)reason;
    drop_count(&l->drops, reason);
}

static void note_refusal(struct udp_listener *l, int number)
{
    if (number == l->last_refusal)
        return;
    l->last_refusal = number;
    log_warn("udp: cannot send: %s", strerror(number));
}

static void send_single(struct udp_listener *l, const struct destination *to,
                        struct datagram *d)
{
    if (sendto(l->watch.fd, d->data, d->size, MSG_DONTWAIT, &to->address.any,
               to->size) >= 0)
        return;
    if (errno == EAGAIN || errno == ENOBUFS) {
        drop(l, d, DROP_UPLINK_BUSY);
    } else if (errno == EMSGSIZE) {
        drop(l, d, DROP_UPLINK_TOO_BIG);
    } else {
        note_refusal(l, errno);
        drop(l, d, DROP_UPLINK_ERROR);
    }
}

/* The system took none of the run. */
static void run_refused(struct udp_listener *l, const struct destination *to,
                        struct burst *burst, struct udp_run run, int number)
{
    struct datagram *first = &burst->datagrams[run.first];
    if (number == EIO && l->segments) {
        /* Linux's word for a device that cannot fill checksums. */
        log_info("udp: a device cannot segment; sending singly");
        l->segments = false;
    }
    for (uint16_t i = 0; i < run.count; i++) {
        if (number == EAGAIN || number == ENOBUFS)
            drop(l, &first[i], DROP_UPLINK_BUSY);
        else
            send_single(l, to, &first[i]);
    }
}

static void send_runs(struct udp_listener *l, struct destination *to,
                      struct burst *burst, const struct udp_run *runs,
                      unsigned count)
{
    struct mmsghdr messages[UDP_RUNS_MAX];
    struct iovec parts[UDP_RUNS_MAX];
    struct udp_control controls[UDP_RUNS_MAX];
    for (unsigned i = 0; i < count; i++) {
        udp_run_message(burst, runs[i], bytes_of(NULL, 0), &messages[i].msg_hdr,
                        &parts[i], &controls[i]);
        messages[i].msg_hdr.msg_name = &to->address;
        messages[i].msg_hdr.msg_namelen = to->size;
    }
    unsigned done = 0;
    while (done < count) {
        int sent =
            sendmmsg(l->watch.fd, messages + done, count - done, MSG_DONTWAIT);
        if (sent > 0) {
            done += (unsigned)sent;
            continue;
        }
        run_refused(l, to, burst, runs[done], errno);
        done++;
    }
}

void udp_listener_send(struct udp_listener *l, const struct endpoint *to,
                       struct burst *burst)
{
    struct destination destination;
    struct udp_run runs[UDP_RUNS_MAX];
    uint16_t from = 0;
    uint16_t segment_max =
        l->segments ? (uint16_t)(OUTER_MTU - udp_listener_overhead(to)) : 0;
    unsigned count;
    destination.size = l->both ? socket_name_mapped_of(to, &destination.address)
                               : socket_name_of(to, &destination.address);
    do {
        for (count = 0; count < UDP_RUNS_MAX; count++) {
            runs[count] = udp_run_next(burst, from, 0, segment_max);
            if (runs[count].count == 0)
                break;
            from = (uint16_t)(runs[count].first + runs[count].count);
        }
        if (count)
            send_runs(l, &destination, burst, runs, count);
    } while (count == UDP_RUNS_MAX);
}

/* --- In ------------------------------------------------------------------ */

static void deliver(struct udp_listener *l, struct instant now,
                    const struct endpoint *from)
{
    if (l->burst.count)
        l->received(l->context, now, from, &l->burst);
    burst_reset(&l->burst);
}

/* Trains of one source that follow each other go as one burst. */
static bool receive(struct udp_listener *l, struct instant now)
{
    struct endpoint source = {0};
    int count = udp_inbox_receive(&l->inbox, l->watch.fd);
    for (int i = 0; i < count; i++) {
        struct udp_train train = udp_inbox_train(&l->inbox, i);
        size_t at = 0;
        if (!endpoint_equal(&source, &train.source))
            deliver(l, now, &source);
        source = train.source;
        if (train.size == 0)
            drop_count(&l->drops, DROP_OPCODE);
        while (!udp_train_take(&train, &at, &l->burst))
            deliver(l, now, &source);
    }
    deliver(l, now, &source);
    return count == UDP_INBOX_MESSAGES;
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct udp_listener *l = context;
    (void)events;
    /* The same call fetches what ICMP left at the socket. */
    for (int i = 0; i < ROUNDS && receive(l, now); i++)
        continue;
}

/* --- Open and close ------------------------------------------------------ */

/* Every host has IPv4; IPv6 may be switched off. */
static int open_socket(const struct endpoint *local, bool *both)
{
    static const enum udp_families families[] = {
        [ADDRESS_NONE] = UDP_BOTH,
        [ADDRESS_IPV4] = UDP_IPV4,
        [ADDRESS_IPV6] = UDP_IPV6,
    };
    *both = local->address.family == ADDRESS_NONE;
    int fd = udp_socket_open(families[local->address.family]);
    struct endpoint any = *local;
    if (*both)
        any.address.family = ADDRESS_IPV6;
    union socket_name address;
    socklen_t size = socket_name_of(&any, &address);
    if (fd < 0 || bind(fd, &address.any, size) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static int open_any(const struct endpoint *local, bool *both)
{
    int fd = open_socket(local, both);
    if (fd >= 0 || local->address.family != ADDRESS_NONE)
        return fd;
    const struct endpoint ipv4 = {address_ipv4(0), local->port};
    return open_socket(&ipv4, both);
}

struct udp_listener *udp_listener_open(const struct endpoint *local,
                                       struct loop *loop,
                                       udp_listener_received *received,
                                       void *context, enum error *error)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct udp_listener *l = calloc(1, sizeof *l);
    *error = ERROR_MEMORY;
    if (!l || !udp_inbox_init(&l->inbox) || !burst_init(&l->burst, 0)) {
        free(l);
        return NULL;
    }
    l->loop = loop;
    l->received = received;
    l->context = context;
    l->segments = true;
    l->watch = (struct loop_watch){open_any(local, &l->both), ready, l};
    *error = l->watch.fd < 0 ? error_of_errno(errno)
                             : loop_add(loop, &l->watch, LOOP_READ);
    if (*error == OK)
        return l;
    if (address_is_set(&local->address))
        log_error("udp: cannot listen on %s: %s", endpoint_format(local, text),
                  strerror(errno));
    else
        log_error("udp: cannot listen on port %u: %s", local->port,
                  strerror(errno));
    if (l->watch.fd >= 0)
        close(l->watch.fd);
    udp_inbox_clear(&l->inbox);
    free(l);
    return NULL;
}

void udp_listener_close(struct udp_listener *l)
{
    if (!l)
        return;
    loop_remove(l->loop, &l->watch);
    close(l->watch.fd);
    udp_inbox_clear(&l->inbox);
    burst_clear(&l->burst);
    free(l);
}
