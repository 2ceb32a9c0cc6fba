/*
 * A crowd: many clients of this project's core in one process, each with a
 * socket of its own, against whatever server the profile names. It connects
 * them, lets them idle, and moves data; what that costs the server is read
 * from /proc. In the last stage a flood of spoofed first packets comes on top,
 * out of a network namespace of its own.
 *
 *   server_bench PROFILE SERVER_PID CLIENTS IDLE_SECONDS DATA_SECONDS NAMESPACE
 *
 * The profile is without a wrapping, so that a stranger's first packet is one
 * that the server has to answer. Lines of output: a word and numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/client/client.h"
#include "gateway/openvpn/client/client_profile.h"
#include "gateway/process/randomness.h"
#include "gateway/uplink/socket_name.h"
#include "gateway/vpn/profile.h"

enum {
    AT_ONCE = 20,     /* handshakes */
    FEW = 200,        /* clients of the first comparison */
    INNER = 1400,     /* bytes of a packet */
    TRAIN = 40,       /* packets of one system call */
    FLOOD = 50000,    /* packets per second */
    FLOOD_TRAIN = 50, /* of them at once */
    FLOOD_LOAD = 80,  /* percent of what goes through without it, so that the
                         machine has room for the flood itself */
    PATIENCE = 300,   /* s, for all to connect */
};

struct one {
    struct client *client;
    int fd;
    bool started, up;
    struct address inner;
};

struct crowd {
    struct protocol_profile *profile;
    const struct config *config;
    struct one *all;
    size_t count, started, up;
    int epoll;
    int server; /* its process */
    uint8_t *memory;
    struct burst views, burst;
};

/* --- Clocks and the server's process ------------------------------------- */

static struct instant now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (struct instant){(int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000};
}

static double seconds_since(struct instant start)
{
    return (double)instant_since(now(), start).us / 1e6;
}

static void fail(const char *what)
{
    fprintf(stderr, "server_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static FILE *open_proc(int process, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", process, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail(path);
    return f;
}

/* Seconds of the processor that it had. */
static double server_cpu(const struct crowd *c)
{
    unsigned long long ns = 0;
    FILE *f = open_proc(c->server, "schedstat");
    if (fscanf(f, "%llu", &ns) != 1)
        fail("schedstat");
    fclose(f);
    return (double)ns / 1e9;
}

static long server_resident(const struct crowd *c) /* KiB */
{
    char line[128];
    long kib = 0;
    FILE *f = open_proc(c->server, "status");
    while (fgets(line, sizeof line, f))
        sscanf(line, "VmRSS: %ld", &kib);
    fclose(f);
    return kib;
}

static double cpu_of(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

/* The same of ours, which is all clients'. */
static double own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return cpu_of(&u);
}

/* Bytes that came out of the server's tunnel. */
static double server_delivered(const struct crowd *c)
{
    char line[512];
    unsigned long long bytes = 0;
    FILE *f = open_proc(c->server, "net/dev");
    while (fgets(line, sizeof line, f))
        sscanf(line, " tun0: %llu", &bytes);
    fclose(f);
    return (double)bytes;
}

/* --- The clients --------------------------------------------------------- */

static uint32_t unix_time(void *context)
{
    (void)context;
    return (uint32_t)time(NULL);
}

static const struct client_env env = {
    .random = randomness_fill,
    .unix_time = unix_time,
};

static void connect_one(struct crowd *c, struct one *o,
                        const struct config_remote *remote)
{
    struct endpoint to = {.port = remote->port};
    union socket_name name;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = o};
    if (!address_parse(bytes_of_text(remote->host), &to.address))
        fail("the profile's server is no address");
    if (o->fd >= 0)
        close(o->fd);
    o->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t size = socket_name_of(&to, &name);
    if (o->fd < 0 || connect(o->fd, &name.any, size) != 0 ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, o->fd, &event) != 0)
        fail("a socket");
    client_connected(o->client, now(), 28, 1500);
}

static void settle(struct crowd *c, struct one *o)
{
    struct client_action a;
    while (client_poll(o->client, &a)) {
        switch (a.type) {
        case CLIENT_ACTION_CONNECT:
            connect_one(c, o, a.remote);
            break;
        case CLIENT_ACTION_SEND:
            (void)!send(o->fd, a.bytes.data, a.bytes.size, MSG_DONTWAIT);
            break;
        case CLIENT_ACTION_UP:
            c->up += !o->up;
            o->up = true;
            o->inner = a.tunnel->ipv4.address;
            break;
        case CLIENT_ACTION_DOWN:
        case CLIENT_ACTION_STOPPED:
            fprintf(stderr, "server_bench: %s\n", a.text ? a.text : "");
            c->up -= o->up;
            o->up = false;
            break;
        case CLIENT_ACTION_DISCONNECT:
        case CLIENT_ACTION_ASK:
            break;
        }
    }
}

static void hear(struct crowd *c, struct one *o)
{
    ssize_t n;
    while ((n = recv(o->fd, c->memory, UINT16_MAX, MSG_DONTWAIT)) > 0) {
        burst_reset(&c->views);
        if (burst_add_view(&c->views, c->memory, (uint16_t)n))
            client_open(o->client, now(), &c->views);
        settle(c, o);
    }
}

static void start_more(struct crowd *c)
{
    while (c->started < c->count && c->started < c->up + AT_ONCE) {
        struct one *o = &c->all[c->started++];
        o->client = client_new(c->config, &env, NULL);
        if (!o->client)
            fail("client_new");
        client_start(o->client, now());
        settle(c, o);
    }
}

/* Everything that is to happen within so many milliseconds. */
static void turn(struct crowd *c, int milliseconds)
{
    struct epoll_event events[64];
    int count = epoll_wait(c->epoll, events, 64, milliseconds);
    for (int i = 0; i < count; i++)
        hear(c, events[i].data.ptr);
    for (size_t i = 0; i < c->started; i++) {
        struct one *o = &c->all[i];
        if (!instant_reached(now(), client_deadline(o->client)))
            continue;
        client_expire(o->client, now());
        settle(c, o);
    }
}

/* --- Stages -------------------------------------------------------------- */

/* Until so many are up. */
static void connect_all(struct crowd *c, size_t wanted)
{
    struct instant start = now();
    double cpu = server_cpu(c), own = own_cpu();
    long resident = server_resident(c);
    size_t before = c->up;
    c->count = wanted;
    while (c->up < wanted) {
        start_more(c);
        turn(c, 5);
        if (seconds_since(start) > PATIENCE) {
            fprintf(stderr, "server_bench: %zu of %zu are up\n", c->up, wanted);
            exit(1);
        }
    }
    double took = seconds_since(start), number = (double)(wanted - before);
    usleep(200000);
    printf("connected %zu per_second %.0f server_ms_each %.2f "
           "clients_ms_each %.2f server_KiB_each %.1f server_KiB %ld\n",
           wanted, number / took, 1e3 * (server_cpu(c) - cpu) / number,
           1e3 * (own_cpu() - own) / number,
           (double)(server_resident(c) - resident) / number,
           server_resident(c));
    fflush(stdout);
}

static void idle(struct crowd *c, unsigned seconds)
{
    struct instant start = now();
    double cpu = server_cpu(c);
    while (seconds_since(start) < seconds)
        turn(c, 10);
    double took = seconds_since(start);
    printf("idle %zu clients_up %zu server_us_per_client_and_second %.2f\n",
           c->started, c->up,
           1e6 * (server_cpu(c) - cpu) / took / (double)c->up);
    fflush(stdout);
}

/* A UDP packet to an address behind the server that takes and forgets it. */
static void write_packet(const struct one *o, uint8_t *out)
{
    memset(out, 0, INNER);
    out[0] = 0x45;
    store_u16(out + 2, INNER);
    out[8] = 64;
    out[9] = IPPROTO_UDP;
    store_u32(out + 12, address_to_ipv4(&o->inner));
    store_u32(out + 16, 0xcb007163); /* 203.0.113.99 */
    uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2)
        sum += load_u16(out + i);
    sum = (sum & 0xffff) + (sum >> 16);
    store_u16(out + 10, (uint16_t) ~(sum + (sum >> 16)));
    store_u16(out + 20, 40000);
    store_u16(out + 22, 9);
    store_u16(out + 24, INNER - 20);
}

/* One train of one client; what was sent, in bytes of inner packets. */
static size_t send_train(struct crowd *c, struct one *o)
{
    struct burst_layout layout = client_layout(o->client);
    union {
        struct cmsghdr head;
        uint8_t space[CMSG_SPACE(sizeof(uint16_t))];
    } control = {.space = {0}};
    burst_reset(&c->burst);
    for (unsigned i = 0; i < TRAIN; i++) {
        struct datagram *d = burst_reserve(&c->burst, &layout, INNER);
        write_packet(o, d->data + d->inner_offset);
    }
    if (!client_seal(o->client, now(), &c->burst))
        return 0;
    struct iovec part = {c->burst.memory, c->burst.used};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    uint16_t size = c->burst.datagrams[0].size;
    control.head.cmsg_level = SOL_UDP;
    control.head.cmsg_type = UDP_SEGMENT;
    control.head.cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(&control.head), &size, sizeof size);
    return sendmsg(o->fd, &message, MSG_DONTWAIT) > 0 ? (size_t)TRAIN * INNER
                                                      : 0;
}

/* As fast as it goes, or so many megabits a second; all clients in turn.
 * Delivered megabits a second. */
static double move_data(struct crowd *c, unsigned seconds, double megabits)
{
    struct instant start = now();
    double before = server_delivered(c), sent = 0;
    size_t next = 0;
    while (seconds_since(start) < seconds) {
        if (megabits > 0 && sent * 8 > megabits * 1e6 * seconds_since(start)) {
            turn(c, 1);
            continue;
        }
        struct one *o = &c->all[next++ % c->started];
        sent += o->up ? (double)send_train(c, o) : 0;
        if (next % 64 == 0)
            turn(c, 0);
    }
    double took = seconds_since(start);
    usleep(100000);
    return (server_delivered(c) - before) * 8 / 1e6 / took;
}

/* Measures what goes through. */
static double move(struct crowd *c, unsigned seconds)
{
    double cpu = server_cpu(c), before = server_delivered(c);
    double megabits = move_data(c, seconds, 0);
    double gigabytes = (server_delivered(c) - before) / 1e9;
    printf("data clients_up %zu megabits_per_second %.0f "
           "server_cpu_seconds_per_GB %.2f\n",
           c->up, megabits, (server_cpu(c) - cpu) / gigabytes);
    fflush(stdout);
    return megabits;
}

/* --- The flood ----------------------------------------------------------- */

/* A first packet from an address that is not ours. */
static size_t spoof(uint8_t *out, const struct endpoint *server)
{
    enum { SIZE = 20 + 8 + 14 };
    uint8_t random[16];
    randomness_fill(NULL, random, sizeof random);
    memset(out, 0, SIZE);
    out[0] = 0x45;
    store_u16(out + 2, SIZE);
    out[8] = 64;
    out[9] = IPPROTO_UDP;
    /* 198.18.0.0/15 is there for measurements (RFC 2544) */
    store_u32(out + 12, 0xc6120000 | (load_u32(random) & 0x1ffff));
    memcpy(out + 16, server->address.bytes, 4);
    store_u16(out + 20, (uint16_t)(1024 + load_u16(random + 4) % 60000));
    store_u16(out + 22, server->port);
    store_u16(out + 24, SIZE - 20);
    out[28] = 0x38; /* hard reset of a client, key 0 */
    memcpy(out + 29, random + 6, 8);
    return SIZE;
}

static void enter(const char *namespace)
{
    char path[128];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        fail(path);
    close(fd);
}

static void send_flood_train(int fd, const struct endpoint *server)
{
    static uint8_t packets[FLOOD_TRAIN][64];
    struct mmsghdr messages[FLOOD_TRAIN];
    struct iovec parts[FLOOD_TRAIN];
    union socket_name name;
    socklen_t size = socket_name_of(server, &name);
    memset(messages, 0, sizeof messages);
    for (unsigned i = 0; i < FLOOD_TRAIN; i++) {
        parts[i] = (struct iovec){packets[i], spoof(packets[i], server)};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &name,
                                              .msg_namelen = size,
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1};
    }
    if (sendmmsg(fd, messages, FLOOD_TRAIN, 0) != FLOOD_TRAIN)
        fail("the flood");
}

static void flood(const char *namespace, const struct endpoint *server)
{
    enter(namespace);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0)
        fail("a raw socket");
    struct instant start = now();
    for (double sent = 0;;) {
        if (sent > FLOOD * seconds_since(start)) {
            usleep(1000 * FLOOD_TRAIN * 1000 / FLOOD);
            continue;
        }
        send_flood_train(fd, server);
        sent += FLOOD_TRAIN;
    }
}

/* Clients' megabits a second before, during and after a flood, at a pace that
 * the machine has room for. */
static void move_under_flood(struct crowd *c, unsigned seconds,
                             const char *namespace, double most)
{
    const struct config_remote *remote = &c->config->remotes[0];
    struct endpoint server = {.port = remote->port};
    struct rusage used;
    double offered = most * FLOOD_LOAD / 100;
    if (!address_parse(bytes_of_text(remote->host), &server.address))
        fail("address");
    double before = move_data(c, seconds, offered);
    long resident = server_resident(c);
    double cpu = server_cpu(c);
    pid_t child = fork();
    if (child == 0)
        flood(namespace, &server);
    double during = move_data(c, seconds, offered);
    cpu = server_cpu(c) - cpu;
    resident = server_resident(c) - resident;
    kill(child, SIGKILL);
    wait4(child, NULL, 0, &used);
    double after = move_data(c, seconds, offered);
    printf("flood packets_per_second %d flooder_cpu_percent %.0f clients_up "
           "%zu megabits_offered %.0f before %.0f during %.0f after %.0f "
           "server_cpu_percent %.0f server_KiB_more %ld\n",
           FLOOD, 100 * cpu_of(&used) / seconds, c->up, offered, before, during,
           after, 100 * cpu / seconds, resident);
}

/* --- The stages in a row ------------------------------------------------- */

static void open_crowd(struct crowd *c, const char *profile, size_t clients)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    c->profile = profile_load(profile, NULL);
    if (!c->profile)
        exit(2);
    c->config = client_profile_config(c->profile);
    c->all = calloc(clients, sizeof *c->all);
    c->memory = malloc(UINT16_MAX);
    c->epoll = epoll_create1(0);
    if (!c->all || !c->memory || c->epoll < 0 || !burst_init(&c->views, 0) ||
        !burst_init(&c->burst, 128 * 1024))
        fail("memory");
    for (size_t i = 0; i < clients; i++)
        c->all[i].fd = -1;
}

int main(int argc, char **argv)
{
    static struct crowd crowd;
    if (argc != 7) {
        fputs("usage: server_bench PROFILE SERVER_PID CLIENTS IDLE_SECONDS "
              "DATA_SECONDS NAMESPACE\n",
              stderr);
        return 2;
    }
    size_t clients = (size_t)atoi(argv[3]);
    unsigned rest = (unsigned)atoi(argv[4]), data = (unsigned)atoi(argv[5]);
    crowd.server = atoi(argv[2]);
    log_set_level(LOG_ERROR);
    open_crowd(&crowd, argv[1], clients);
    connect_all(&crowd, clients < FEW ? clients : FEW);
    if (clients > FEW)
        connect_all(&crowd, clients);
    idle(&crowd, rest);
    double megabits = move(&crowd, data);
    move_under_flood(&crowd, data, argv[6], megabits);
    return 0;
}
