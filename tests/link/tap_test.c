/*
 * Two qubes, each a namespace with a TAP device and a real kernel in it; in
 * the middle this test hands what one link receives to the other.
 */
#include "gateway/link/tap.h"
#include "tests/link/send_one.h"
#include "tests/namespace.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    TCP_PORT = 4000,
    UDP_PORT = 4001,
    TCP_TOTAL = 24 << 20,
    SEGMENT = 1200,
    TRAIN = 40 * SEGMENT + 77,
};

struct side {
    int namespace;
    struct link *link;
    bool removed;
};

/* The packets that crossed the middle. */
struct seen {
    unsigned packets;
    unsigned tcp_super;
    unsigned udp_super;
    unsigned biggest;
    unsigned misplaced; /* not on a cache line, or too little headroom */
};

static struct middle {
    struct loop *loop;
    struct loop_timer watchdog;
    struct side sides[2];
    bool forward;
    bool in_pieces;
    struct seen seen;
    struct drop_counters dropped;
    pid_t children[2];
    bool failed;
} middle;

/* --- The middle ---------------------------------------------------------- */

/* The same packet as the joining of packets would make it: a head and
 * borrowed pieces, here of uneven sizes. */
static void cut_into_pieces(struct packet *p, struct bytes *pieces)
{
    enum { HEAD = 120, MAX = 60 };
    if (p->size <= HEAD)
        return;
    uint32_t left = p->size - HEAD;
    uint32_t step = left / MAX + 1;
    p->size = HEAD;
    p->pieces = pieces;
    p->piece_bytes = left;
    for (uint32_t at = 0; at < left; at += step)
        pieces[p->piece_count++] =
            bytes_of(p->data + HEAD + at, left - at < step ? left - at : step);
}

static void note(struct seen *seen, const struct packet *p)
{
    seen->packets++;
    seen->tcp_super += p->gso == PACKET_GSO_TCP;
    seen->udp_super += p->gso == PACKET_GSO_UDP;
    if (p->size > seen->biggest)
        seen->biggest = p->size;
    seen->misplaced +=
        (uintptr_t)p->data % 64 != 0 || p->headroom < PACKET_HEADROOM;
    assert_true(p->gso == PACKET_GSO_NONE ||
                p->checksum == PACKET_CHECKSUM_PARTIAL);
}

static void received(void *context, struct instant now,
                     struct packet_batch *batch)
{
    struct middle *m = context;
    assert_true(batch->count > 0);
    for (uint16_t i = 0; i < batch->count; i++) {
        struct packet *p = &batch->packets[i];
        struct bytes pieces[PACKET_PIECES_MAX];
        note(&m->seen, p);
        if (!m->forward)
            continue;
        if (m->in_pieces)
            cut_into_pieces(p, pieces);
        bool first = p->qube == (struct qube *)&m->sides[0];
        send_one(&m->sides[first].link->port, now, p);
        drop_count(&m->dropped, p->drop);
    }
}

static struct qube *qube_added(void *context, struct link_port *port,
                               const char *name, const struct address *ipv4,
                               const struct address *ipv6)
{
    struct middle *m = context;
    assert_ptr_equal(port, &port->link->port);
    assert_memory_equal(name, "tap:", 4);
    assert_true(address_is_set(ipv4) && address_is_set(ipv6));
    return (struct qube *)&m->sides[m->sides[0].link ? 1 : 0];
}

static void qube_removed(void *context, struct qube *qube)
{
    (void)context;
    ((struct side *)qube)->removed = true;
}

static void look_after_children(void *context, struct instant now)
{
    struct middle *m = context;
    bool running = false;
    for (int i = 0; i < 2; i++) {
        int status;
        if (!m->children[i])
            continue;
        if (waitpid(m->children[i], &status, WNOHANG) == m->children[i]) {
            m->failed |= status != 0;
            m->children[i] = 0;
        } else {
            running = true;
        }
    }
    if (!running)
        loop_quit(m->loop);
    loop_timer_set(&m->watchdog, instant_after(now, duration_milliseconds(2)));
}

static const struct link_owner owner = {
    .context = &middle,
    .received = received,
    .qube_added = qube_added,
    .qube_removed = qube_removed,
};

static void make_side(int i)
{
    struct side *side = &middle.sides[i];
    enum error error;
    struct tap_options options = {
        .interface = "eth0",
        .ipv4 = address_ipv4(0x0a890001U + (uint32_t)i), /* 10.137.0.1, .2 */
    };
    char ipv6[] = "fd09::1";
    ipv6[6] = (char)('1' + i);
    /* The first one's MAC is learnt; the second never speaks first. */
    if (i == 1)
        memcpy(options.mac, "\x02\x00\x00\x00\x00\x43", 6);
    assert_true(address_parse(bytes_of_text(ipv6), &options.ipv6));

    assert_true(namespace_enter_new());
    side->namespace = namespace_open();
    side->link = tap_open(&options, middle.loop, &owner, &error);
    assert_non_null(side->link);
    /* As a qube has it, but with no permanent neighbour: it has to ask. */
    namespace_run("ip link set lo up && "
                  "ip link set eth0 address 02:00:00:00:00:4%d up && "
                  "ip addr add 10.137.0.%d/32 dev eth0 && "
                  "ip addr add %s/128 dev eth0 nodad && "
                  "ip route add default via 10.137.255.254 dev eth0 onlink && "
                  "ip route add default via fe80::1 dev eth0",
                  i + 2, i + 1, ipv6);
}

static int set_up(void **state)
{
    (void)state;
    middle = (struct middle){.forward = true};
    middle.loop = loop_new();
    assert_non_null(middle.loop);
    middle.watchdog =
        (struct loop_timer){.expired = look_after_children, .context = &middle};
    loop_add_timer(middle.loop, &middle.watchdog);
    for (int i = 0; i < 2; i++)
        make_side(i);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (middle.children[i])
            kill(middle.children[i], SIGKILL);
        middle.sides[i].link->kind->close(middle.sides[i].link);
        assert_true(middle.sides[i].removed);
        close(middle.sides[i].namespace);
    }
    loop_free(middle.loop);
    return 0;
}

/* --- The qubes ----------------------------------------------------------- */

typedef int program(int family);

/* Starts the program inside the qube; its result is its exit status. */
static void start(int i, program *run, int family)
{
    middle.children[i] = fork();
    assert_true(middle.children[i] >= 0);
    if (middle.children[i] != 0)
        return;
    alarm(200);
    if (setns(middle.sides[i].namespace, CLONE_NEWNET) != 0)
        _exit(9);
    _exit(run(family));
}

static void run_qubes(void)
{
    loop_timer_set(&middle.watchdog, loop_now(middle.loop));
    assert_int_equal(loop_run(middle.loop), OK);
    assert_false(middle.failed);
    assert_int_equal(middle.seen.misplaced, 0);
    assert_int_equal(middle.dropped.count[DROP_LINK_ERROR], 0);
    assert_int_equal(middle.dropped.count[DROP_LINK_MALFORMED], 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(middle.sides[i].link->drops.count[DROP_LINK_MALFORMED],
                         0);
}

union name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* The second qube's. */
static union name server_name(int family, uint16_t port, socklen_t *size)
{
    union name name = {0};
    if (family == AF_INET) {
        name.ipv4.sin_family = AF_INET;
        name.ipv4.sin_port = htons(port);
        inet_pton(AF_INET, "10.137.0.2", &name.ipv4.sin_addr);
        *size = sizeof name.ipv4;
    } else {
        name.ipv6.sin6_family = AF_INET6;
        name.ipv6.sin6_port = htons(port);
        inet_pton(AF_INET6, "fd09::2", &name.ipv6.sin6_addr);
        *size = sizeof name.ipv6;
    }
    return name;
}

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at ^ at >> 7 ^ at >> 16);
}

static int tcp_server(int family)
{
    static uint8_t data[1 << 16];
    socklen_t size;
    union name name = server_name(family, TCP_PORT, &size);
    int fd = socket(family, SOCK_STREAM, 0);
    if (bind(fd, &name.any, size) != 0 || listen(fd, 1) != 0)
        return 2;
    fd = accept(fd, NULL, NULL);
    size_t total = 0;
    ssize_t got;
    while ((got = read(fd, data, sizeof data)) > 0)
        for (ssize_t i = 0; i < got; i++)
            if (data[i] != pattern(total++))
                return 3;
    /* An answer, so that both directions carry data. */
    return total == TCP_TOTAL && write(fd, "done", 4) == 4 ? 0 : 4;
}

static int tcp_client(int family)
{
    static uint8_t data[TCP_TOTAL];
    socklen_t size;
    union name name = server_name(family, TCP_PORT, &size);
    int fd;
    for (size_t i = 0; i < TCP_TOTAL; i++)
        data[i] = pattern(i);
    for (;;) { /* until the server listens */
        fd = socket(family, SOCK_STREAM, 0);
        if (connect(fd, &name.any, size) == 0)
            break;
        close(fd);
        usleep(10000);
    }
    for (size_t sent = 0; sent < TCP_TOTAL;) {
        ssize_t n = write(fd, data + sent, TCP_TOTAL - sent);
        if (n <= 0)
            return 2;
        sent += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    char done[4];
    return recv(fd, done, 4, MSG_WAITALL) == 4 ? 0 : 3;
}

static void tcp_passes(int family)
{
    start(1, tcp_server, family);
    start(0, tcp_client, family);
    run_qubes();
    assert_true(middle.seen.tcp_super > 100);
    assert_true(middle.seen.biggest > 30000);
}

static void tcp_super_packets_pass_over_ipv4(void **state)
{
    (void)state;
    tcp_passes(AF_INET);
}

static void tcp_super_packets_pass_over_ipv6(void **state)
{
    (void)state;
    tcp_passes(AF_INET6);
}

static void tcp_super_packets_pass_in_pieces_over_ipv4(void **state)
{
    (void)state;
    middle.in_pieces = true;
    tcp_passes(AF_INET);
}

static void tcp_super_packets_pass_in_pieces_over_ipv6(void **state)
{
    (void)state;
    middle.in_pieces = true;
    tcp_passes(AF_INET6);
}

/* Reads a train of datagrams of one size and a shorter last one. */
static int read_train(int fd, ssize_t got, uint8_t *data, size_t room)
{
    for (size_t at = 0; at < TRAIN; at += SEGMENT) {
        size_t expected = TRAIN - at < SEGMENT ? TRAIN - at : SEGMENT;
        if (at > 0)
            got = recv(fd, data, room, 0);
        if (got != (ssize_t)expected)
            return 5;
        for (size_t i = 0; i < expected; i++)
            if (data[i] != pattern(at + i))
                return 6;
    }
    return 0;
}

static int udp_server(int family)
{
    static uint8_t data[SEGMENT + 1];
    socklen_t size;
    union name name = server_name(family, UDP_PORT, &size);
    union name from;
    int fd = socket(family, SOCK_DGRAM, 0);
    if (bind(fd, &name.any, size) != 0)
        return 2;
    socklen_t from_size = sizeof from;
    if (recvfrom(fd, data, sizeof data, 0, &from.any, &from_size) != 1)
        return 3;
    if (sendto(fd, "y", 1, 0, &from.any, from_size) != 1)
        return 4;
    /* Late datagrams of the asking are one byte long. */
    ssize_t got;
    do
        got = recv(fd, data, sizeof data, 0);
    while (got == 1);
    return read_train(fd, got, data, sizeof data);
}

static int udp_client(int family)
{
    static uint8_t data[TRAIN];
    socklen_t size;
    union name name = server_name(family, UDP_PORT, &size);
    struct timeval patience = {.tv_usec = 50000};
    int segment = SEGMENT;
    int fd = socket(family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, &name.any, size) != 0)
        return 2;
    char reply;
    while (send(fd, "x", 1, 0) != 1 || recv(fd, &reply, 1, 0) != 1)
        usleep(10000);
    setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    for (size_t i = 0; i < TRAIN; i++)
        data[i] = pattern(i);
    return send(fd, data, sizeof data, 0) == TRAIN ? 0 : 3;
}

static void udp_passes(int family)
{
    start(1, udp_server, family);
    start(0, udp_client, family);
    run_qubes();
    /* Before Linux 6.2 the qube's kernel cuts the train itself. */
    if (middle.sides[0].link->takes_udp_gso)
        assert_int_equal(middle.seen.udp_super, 1);
    else
        assert_true(middle.seen.packets > 40);
}

static void udp_super_packets_pass_over_ipv4(void **state)
{
    (void)state;
    udp_passes(AF_INET);
}

static void udp_super_packets_pass_over_ipv6(void **state)
{
    (void)state;
    udp_passes(AF_INET6);
}

/* --- Frames made by hand ------------------------------------------------- */

static const uint8_t qube_mac[6] = {0x02, 0, 0, 0, 0, 0x42};

enum { OWN_PACKET_SIZE = 29 };

/* An IPv4 UDP packet of the first qube, without a checksum. */
static const uint8_t own_frame[14 + OWN_PACKET_SIZE] = {
    /* Ethernet */ 0xfe,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    2,
    0,
    0,
    0,
    0,
    0x42,
    8,
    0,
    /* IPv4 */ 0x45,
    0,
    0,
    29,
    0,
    1,
    0,
    0,
    64,
    17,
    0,
    0,
    10,
    137,
    0,
    1,
    10,
    137,
    0,
    2,
    /* UDP */ 0,
    1,
    0,
    2,
    0,
    9,
    0,
    0,
    'x',
};

struct raw {
    int fd; /* a packet socket inside the first qube */
    struct link *link;
    uint8_t bytes[OWN_PACKET_SIZE];
    struct packet packet; /* to the first qube */
};

static void open_raw(struct raw *raw)
{
    middle.forward = false;
    assert_int_equal(setns(middle.sides[0].namespace, CLONE_NEWNET), 0);
    raw->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
    raw->link = middle.sides[0].link;
    memcpy(raw->bytes, own_frame + 14, sizeof raw->bytes);
    raw->packet = (struct packet){.data = raw->bytes, .size = OWN_PACKET_SIZE};
    struct sockaddr_ll name = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex("eth0"),
    };
    assert_true(raw->fd >= 0);
    assert_int_equal(bind(raw->fd, (const struct sockaddr *)&name, sizeof name),
                     0);
}

static void turn_a_while(void)
{
    /* No children: the watchdog ends the loop when it first looks. */
    loop_timer_set(&middle.watchdog, instant_after(loop_now(middle.loop),
                                                   duration_milliseconds(20)));
    assert_int_equal(loop_run(middle.loop), OK);
}

static void send_raw(struct raw *raw, const uint8_t *frame, size_t size)
{
    assert_int_equal(write(raw->fd, frame, size), (ssize_t)size);
    turn_a_while();
}

static enum drop send_to_qube(struct raw *raw)
{
    raw->packet.drop = DROP_NONE;
    send_one(&raw->link->port, loop_now(middle.loop), &raw->packet);
    turn_a_while();
    return raw->packet.drop;
}

static uint64_t drops(enum drop reason)
{
    return middle.sides[0].link->drops.count[reason];
}

/* Reads the packet socket until there is a frame of that type to the qube. */
static bool find_frame(struct raw *raw, uint16_t type, uint8_t frame[256])
{
    ssize_t size;
    while ((size = read(raw->fd, frame, 256)) > 0)
        if (size > 14 && load_u16(frame + 12) == type &&
            memcmp(frame, qube_mac, 6) == 0)
            return true;
    return false;
}

static void frames_that_are_not_ip_are_counted(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t frame[64] = {0};
    open_raw(&raw);
    uint64_t before = drops(DROP_LINK_NOT_IP);
    memcpy(frame, own_frame, sizeof own_frame);
    store_u16(frame + 12, 0x8100); /* a VLAN tag */
    send_raw(&raw, frame, sizeof frame);
    store_u16(frame + 12, 0x88cc); /* LLDP */
    send_raw(&raw, frame, sizeof frame);
    assert_int_equal(drops(DROP_LINK_NOT_IP), before + 2);
    close(raw.fd);
}

static void a_version_that_contradicts_the_frame_is_malformed(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t frame[sizeof own_frame];
    open_raw(&raw);
    memcpy(frame, own_frame, sizeof frame);
    store_u16(frame + 12, 0x86dd);
    send_raw(&raw, frame, sizeof frame);
    assert_int_equal(drops(DROP_LINK_MALFORMED), 1);
    close(raw.fd);
}

static void
the_mac_is_learnt_from_the_first_packet_with_the_right_source(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t frame[256];
    open_raw(&raw);
    assert_int_equal(send_to_qube(&raw), DROP_LINK_NO_MAC);

    memcpy(frame, own_frame, sizeof own_frame);
    frame[11] = 0x66;
    frame[14 + 15] = 77; /* the source is not the qube's */
    send_raw(&raw, frame, sizeof own_frame);
    assert_int_equal(send_to_qube(&raw), DROP_LINK_NO_MAC);

    send_raw(&raw, own_frame, sizeof own_frame);
    assert_int_equal(send_to_qube(&raw), DROP_NONE);
    assert_true(find_frame(&raw, ETH_P_IP, frame));
    assert_memory_equal(frame + 6, "\xfe\xff\xff\xff\xff\xff", 6);
    assert_memory_equal(frame + 14, raw.bytes, sizeof raw.bytes);

    /* Once known it stays. */
    memcpy(frame, own_frame, sizeof own_frame);
    frame[11] = 0x66;
    send_raw(&raw, frame, sizeof own_frame);
    assert_int_equal(send_to_qube(&raw), DROP_NONE);
    assert_true(find_frame(&raw, ETH_P_IP, frame));
    close(raw.fd);
}

static void arp_is_answered_but_for_the_qube_itself(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t request[14 + 28] = {
        /* Ethernet */ 0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        2,
        0,
        0,
        0,
        0,
        0x42,
        8,
        6,
        /* ARP, who-has */ 0,
        1,
        8,
        0,
        6,
        4,
        0,
        1,
        /* sender */ 2,
        0,
        0,
        0,
        0,
        0x42,
        10,
        137,
        0,
        1,
        /* target */ 0,
        0,
        0,
        0,
        0,
        0,
        8,
        8,
        8,
        8,
    };
    uint8_t frame[256];
    open_raw(&raw);
    send_raw(&raw, request, sizeof request);
    assert_true(find_frame(&raw, ETH_P_ARP, frame));
    assert_memory_equal(frame + 22, "\xfe\xff\xff\xff\xff\xff\x08\x08\x08\x08",
                        10);

    memcpy(request + 38, request + 28, 4);
    send_raw(&raw, request, sizeof request);
    assert_false(find_frame(&raw, ETH_P_ARP, frame));

    request[15] = 7; /* hardware type */
    send_raw(&raw, request, sizeof request);
    assert_int_equal(drops(DROP_LINK_MALFORMED), 1);
    close(raw.fd);
}

static void what_is_no_super_packet_is_not_sent_as_one(void **state)
{
    (void)state;
    struct raw raw;
    open_raw(&raw);
    send_raw(&raw, own_frame, sizeof own_frame);
    raw.packet.gso = PACKET_GSO_TCP;
    raw.packet.gso_size = 4;
    raw.packet.checksum = PACKET_CHECKSUM_PARTIAL;
    assert_int_equal(send_to_qube(&raw), DROP_LINK_MALFORMED);
    raw.packet = (struct packet){.data = raw.bytes};
    assert_int_equal(send_to_qube(&raw), DROP_LINK_MALFORMED);
    close(raw.fd);
}

static void an_interface_that_is_down_takes_nothing(void **state)
{
    (void)state;
    struct raw raw;
    open_raw(&raw);
    send_raw(&raw, own_frame, sizeof own_frame);
    namespace_run("ip link set eth0 down");
    assert_int_equal(send_to_qube(&raw), DROP_LINK_ERROR);
    assert_int_equal(drops(DROP_LINK_ERROR), 1);
    assert_false(middle.sides[0].removed);
    close(raw.fd);
}

static void an_interface_taken_away_takes_the_qube_along(void **state)
{
    (void)state;
    struct raw raw;
    open_raw(&raw);
    send_raw(&raw, own_frame, sizeof own_frame);
    namespace_run("ip link delete eth0");
    turn_a_while();
    assert_true(middle.sides[0].removed);
    assert_false(middle.sides[1].removed);
    assert_int_equal(send_to_qube(&raw), DROP_LINK_ERROR);
    close(raw.fd);
}

/* The gateway's end stays where it was opened. */
static void the_interface_may_move_to_another_namespace(void **state)
{
    (void)state;
    struct raw raw;
    assert_int_equal(setns(middle.sides[0].namespace, CLONE_NEWNET), 0);
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t holder = fork();
    assert_true(holder >= 0);
    if (holder == 0) {
        if (!namespace_enter_new() || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    namespace_run("ip link set eth0 netns %d", (int)holder);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)holder);
    close(middle.sides[0].namespace);
    middle.sides[0].namespace = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(middle.sides[0].namespace, CLONE_NEWNET), 0);
    namespace_run("ip link set eth0 up");
    open_raw(&raw);
    send_raw(&raw, own_frame, sizeof own_frame);
    assert_true(middle.seen.packets > 0);
    assert_int_equal(send_to_qube(&raw), DROP_NONE);
    close(raw.fd);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

static struct qube *refuse(void *context, struct link_port *link,
                           const char *name, const struct address *ipv4,
                           const struct address *ipv6)
{
    (void)context;
    (void)link;
    (void)name;
    (void)ipv4;
    (void)ipv6;
    return NULL;
}

static void a_qube_may_be_refused(void **state)
{
    (void)state;
    struct link_owner no = owner;
    struct tap_options options = {.interface = "other",
                                  .ipv4 = address_ipv4(1)};
    enum error error = OK;
    no.qube_added = refuse;
    assert_null(tap_open(&options, middle.loop, &no, &error));
    assert_int_equal(error, ERROR_INVALID);
    assert_int_equal(if_nametoindex("other"), 0);
}

static void names_no_tap_has_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "tap%d", "sixteen-letters-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tap_options options = {.interface = names[i]};
        enum error error = OK;
        assert_null(tap_open(&options, middle.loop, &owner, &error));
        assert_int_equal(error, ERROR_INVALID);
    }
    /* There is one, but it is no TAP device. */
    struct tap_options options = {.interface = "lo"};
    enum error error = OK;
    assert_null(tap_open(&options, middle.loop, &owner, &error));
    assert_int_not_equal(error, OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tcp_super_packets_pass_over_ipv4),
        TEST(tcp_super_packets_pass_over_ipv6),
        TEST(tcp_super_packets_pass_in_pieces_over_ipv4),
        TEST(tcp_super_packets_pass_in_pieces_over_ipv6),
        TEST(udp_super_packets_pass_over_ipv4),
        TEST(udp_super_packets_pass_over_ipv6),
        TEST(frames_that_are_not_ip_are_counted),
        TEST(a_version_that_contradicts_the_frame_is_malformed),
        TEST(the_mac_is_learnt_from_the_first_packet_with_the_right_source),
        TEST(arp_is_answered_but_for_the_qube_itself),
        TEST(what_is_no_super_packet_is_not_sent_as_one),
        TEST(an_interface_that_is_down_takes_nothing),
        TEST(an_interface_taken_away_takes_the_qube_along),
        TEST(the_interface_may_move_to_another_namespace),
        TEST(a_qube_may_be_refused),
        TEST(names_no_tap_has_are_refused),
    };
    if (!namespace_enter_new())
        return namespace_skip("tap needs root or user namespaces");
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        return namespace_skip("tap needs /dev/net/tun");
    return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
