/*
 * Trains of datagrams, in the shape in which UDP_SEGMENT sends and UDP_GRO
 * receives them: what the connected socket of a client (udp) and the open one
 * of a server (udp_listener) have in common.
 *
 * Out: datagrams that lie back to back and are of one size, the last one
 * perhaps shorter, are a run; a run is one message with UDP_SEGMENT, and the
 * runs of a burst are one sendmmsg(). In: one recvmmsg() into buffers each of
 * which holds a train that UDP_GRO joined, taken apart again as views.
 */
#ifndef UPLINK_UDP_TRAIN_H
#define UPLINK_UDP_TRAIN_H

#include <sys/socket.h>

#include "gateway/base/address.h"
#include "gateway/packet/burst.h"
#include "gateway/uplink/socket_name.h"

enum {
    UDP_RUNS_MAX = 64, /* of one sendmmsg() */
    UDP_INBOX_MESSAGES = 8,
    UDP_CONTROL_SPACE = 3 * CMSG_SPACE(sizeof(int)),
};

/* Out. */

/* Datagrams first .. first + count - 1 of a burst, as one message. */
struct udp_run {
    uint16_t first;
    uint16_t count;
};

struct udp_control {
    _Alignas(struct cmsghdr) uint8_t space[UDP_CONTROL_SPACE];
};

/* The longest run of the burst that starts at or behind `from`; count 0:
 * nothing is left. Only datagrams of at most `segment_max` bytes are joined. */
struct udp_run udp_run_next(const struct burst *burst, uint16_t from,
                            uint16_t header_size, uint16_t segment_max);
/* Makes the message of it, without an address, and says how many parts it
 * took: one, or two a datagram where each gets a header in front. */
size_t udp_run_message(const struct burst *burst, struct udp_run run,
                       struct bytes header, struct msghdr *message,
                       struct iovec *parts, struct udp_control *control);

/* Puts DSCP and ECN of the run into the message, if it has any. */
void udp_run_mark(const struct burst *burst, struct udp_run run,
                  enum address_family to, struct msghdr *message,
                  struct udp_control *control);

/* In. */

struct udp_inbox {
    uint8_t *memory;
    struct mmsghdr messages[UDP_INBOX_MESSAGES];
    struct iovec parts[UDP_INBOX_MESSAGES];
    struct udp_control controls[UDP_INBOX_MESSAGES];
    union socket_name sources[UDP_INBOX_MESSAGES];
};

struct udp_train {
    uint8_t *data;
    size_t size;
    uint16_t segment_size;
    uint16_t fragment_size; /* the largest that it came in; 0: it came whole */
    uint8_t ecn;            /* 0 where the socket does not tell it */
    struct endpoint source;
};

/* Not to be moved. False when memory is short. */
MUST_USE bool udp_inbox_init(struct udp_inbox *inbox);
void udp_inbox_clear(struct udp_inbox *inbox);
/* How many messages came; -1 and errno. */
int udp_inbox_receive(struct udp_inbox *inbox, int fd);
struct udp_train udp_inbox_train(const struct udp_inbox *inbox, int number);
/* Adds datagrams of the train from *at on as views. False, with *at at the
 * first one left, when the burst is full. */
MUST_USE bool udp_train_take(const struct udp_train *train, size_t *at,
                             struct burst *burst);

enum udp_families { UDP_IPV4, UDP_IPV6, UDP_BOTH };

/* The socket itself: nonblocking, with large buffers, UDP_GRO and the size of
 * fragments where the kernel has them, and without a belief in ICMP's words
 * about IPv4 (udp.h). Of both families it takes IPv4 as ::ffff:a.b.c.d. -1 and
 * errno. */
int udp_socket_open(enum udp_families families);
/* From now on it tells the ECN of what comes. */
void udp_socket_tell_ecn(int fd);

#endif
