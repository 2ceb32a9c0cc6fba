#include "gateway/uplink/udp_train.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PAYLOAD_MAX = 65507, /* of one message, IPv4's limit */
    BUFFER_SIZE = 65536,
    SOCKET_BUFFER = 4 << 20,
    ECN_BITS = 2, /* the lowest of what was once the type of service */
    ECN_MASK = 3,
};

struct udp_run udp_run_next(const struct burst *burst, uint16_t from,
                            uint16_t header_size, uint16_t segment_max)
{
    const struct datagram *all = burst->datagrams;
    while (from < burst->count && all[from].drop != DROP_NONE)
        from++;
    struct udp_run run = {from, 0};
    if (from == burst->count)
        return run;
    run.count = 1;

    uint16_t size = all[from].size;
    uint32_t total = (uint32_t)size + header_size;
    if (size == 0 || size > segment_max)
        return run;
    for (uint16_t i = (uint16_t)(from + 1); i < burst->count; i++) {
        const struct datagram *d = &all[i];
        const struct datagram *before = &all[i - 1];
        total += (uint32_t)d->size + header_size;
        if (d->drop != DROP_NONE || d->endpoint != before->endpoint ||
            d->ecn != before->ecn || d->dscp != before->dscp ||
            d->data != before->data + before->size || d->size == 0 ||
            d->size > size || before->size < size || total > PAYLOAD_MAX ||
            run.count == BURST_SEGMENTS_MAX)
            break;
        run.count++;
    }
    return run;
}

/* The run's bytes; how many parts they are. */
static size_t gather(const struct burst *burst, struct udp_run run,
                     struct bytes header, struct iovec *parts)
{
    const struct datagram *first = &burst->datagrams[run.first];
    const struct datagram *last = first + run.count - 1;
    size_t count = 0;
    if (header.size == 0) {
        parts[0] = (struct iovec){
            first->data, (size_t)(last->data - first->data) + last->size};
        return 1;
    }
    for (const struct datagram *d = first; d <= last; d++) {
        parts[count++] =
            (struct iovec){(void *)(uintptr_t)header.data, header.size};
        parts[count++] = (struct iovec){d->data, d->size};
    }
    return count;
}

size_t udp_run_message(const struct burst *burst, struct udp_run run,
                       struct bytes header, struct msghdr *message,
                       struct iovec *parts, struct udp_control *control)
{
    size_t count = gather(burst, run, header, parts);
    *message = (struct msghdr){.msg_iov = parts, .msg_iovlen = count};
    if (run.count == 1)
        return count;
    uint16_t size = (uint16_t)(burst->datagrams[run.first].size + header.size);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof(uint16_t));
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    memcpy(CMSG_DATA(c), &size, sizeof size);
    return count;
}

void udp_run_mark(const struct burst *burst, struct udp_run run,
                  enum address_family to, struct msghdr *message,
                  struct udp_control *control)
{
    const struct datagram *d = &burst->datagrams[run.first];
    bool ipv4 = to == ADDRESS_IPV4;
    int value = d->dscp << ECN_BITS | d->ecn;
    if (value == 0)
        return;
    size_t used = message->msg_control ? message->msg_controllen : 0;
    struct cmsghdr *c = (struct cmsghdr *)(void *)(control->space + used);
    c->cmsg_level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = ipv4 ? IP_TOS : IPV6_TCLASS;
    c->cmsg_len = CMSG_LEN(sizeof value);
    memcpy(CMSG_DATA(c), &value, sizeof value);
    message->msg_control = control;
    message->msg_controllen = used + CMSG_SPACE(sizeof value);
}

bool udp_inbox_init(struct udp_inbox *inbox)
{
    *inbox = (struct udp_inbox){
        .memory = malloc((size_t)UDP_INBOX_MESSAGES * BUFFER_SIZE),
    };
    for (size_t i = 0; inbox->memory && i < UDP_INBOX_MESSAGES; i++) {
        inbox->parts[i].iov_base = inbox->memory + i * BUFFER_SIZE;
        inbox->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &inbox->sources[i],
            .msg_iov = &inbox->parts[i],
            .msg_iovlen = 1,
            .msg_control = &inbox->controls[i],
        };
    }
    return inbox->memory != NULL;
}

void udp_inbox_clear(struct udp_inbox *inbox)
{
    free(inbox->memory);
    inbox->memory = NULL;
}

int udp_inbox_receive(struct udp_inbox *inbox, int fd)
{
    for (size_t i = 0; i < UDP_INBOX_MESSAGES; i++) {
        struct msghdr *m = &inbox->messages[i].msg_hdr;
        inbox->parts[i].iov_len = BUFFER_SIZE;
        m->msg_controllen = sizeof inbox->controls[i];
        m->msg_namelen = sizeof inbox->sources[i];
    }
    return recvmmsg(fd, inbox->messages, UDP_INBOX_MESSAGES, MSG_DONTWAIT,
                    NULL);
}

/* An int that the kernel says of a message, or a byte (IP_TOS); 0 where it
 * does not. */
static int said(const struct msghdr *message, int level, int type)
{
    struct msghdr *m = (struct msghdr *)(uintptr_t)message; /* CMSG_NXTHDR */
    int value = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != level || c->cmsg_type != type)
            continue;
        if (c->cmsg_len >= CMSG_LEN(sizeof value))
            memcpy(&value, CMSG_DATA(c), sizeof value);
        else if (c->cmsg_len == CMSG_LEN(1))
            value = *CMSG_DATA(c);
    }
    return value;
}

static uint16_t segment_size(const struct msghdr *message, size_t size)
{
    int value = said(message, SOL_UDP, UDP_GRO);
    return (uint16_t)(value > 0 && (size_t)value < size ? (size_t)value : size);
}

static uint16_t fragment_size(const struct msghdr *message)
{
    int value = said(message, IPPROTO_IP, IP_RECVFRAGSIZE);
    if (value == 0)
        value = said(message, IPPROTO_IPV6, IPV6_RECVFRAGSIZE);
    return value > 0 && value <= UINT16_MAX ? (uint16_t)value : 0;
}

static uint8_t ecn_of(const struct msghdr *message)
{
    int value = said(message, IPPROTO_IP, IP_TOS);
    if (value == 0)
        value = said(message, IPPROTO_IPV6, IPV6_TCLASS);
    return (uint8_t)(value & ECN_MASK);
}

struct udp_train udp_inbox_train(const struct udp_inbox *inbox, int number)
{
    const struct msghdr *message = &inbox->messages[number].msg_hdr;
    size_t size = inbox->messages[number].msg_len;
    return (struct udp_train){
        .data = inbox->parts[number].iov_base,
        .size = size,
        .segment_size = segment_size(message, size),
        .fragment_size = fragment_size(message),
        .ecn = ecn_of(message),
        .source = socket_name_endpoint(&inbox->sources[number]),
    };
}

bool udp_train_take(const struct udp_train *train, size_t *at,
                    struct burst *burst)
{
    while (*at < train->size) {
        size_t left = train->size - *at;
        uint16_t here =
            left < train->segment_size ? (uint16_t)left : train->segment_size;
        if (!burst_add_view(burst, train->data + *at, here))
            return false;
        burst->datagrams[burst->count - 1].ecn = train->ecn;
        *at += here;
    }
    return true;
}

/* The forced form passes the system's limit and needs CAP_NET_ADMIN. */
static void set_buffer(int fd, int forced, int plain)
{
    int size = SOCKET_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static bool set_families(int fd, enum udp_families families)
{
    bool ipv4 = families != UDP_IPV6, ipv6 = families != UDP_IPV4;
    return (!ipv4 ||
            set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)) &&
           (!ipv6 || (set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                                 IPV6_PMTUDISC_WANT) &&
                      set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !ipv4)));
}

int udp_socket_open(enum udp_families families)
{
    int fd = socket(families == UDP_IPV4 ? AF_INET : AF_INET6,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    /* A kernel without it gives datagrams one by one. */
    (void)set_option(fd, SOL_UDP, UDP_GRO, 1);
    (void)set_option(fd, IPPROTO_IP, IP_RECVFRAGSIZE, 1);
    (void)set_option(fd, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1);
    if (set_families(fd, families))
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

void udp_socket_tell_ecn(int fd)
{
    (void)set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
    (void)set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
}
