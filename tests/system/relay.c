/*
 * A bad path: a UDP relay that loses, doubles and reorders datagrams, each
 * direction alike. The kernels of small machines have no netem.
 *
 *   relay ADDRESS PORT SERVER-PORT SEED LOSS DOUBLES LATE DELAY
 *
 * listens at ADDRESS PORT, where clients are told apart by their address and
 * port, and passes on to ADDRESS SERVER-PORT. In 100 datagrams LOSS are lost,
 * DOUBLES come twice, and LATE are held back for up to DELAY ms, so that later
 * ones overtake them. SEED decides which. Counts go to standard output at the
 * end. SIGUSR1 and SIGUSR2 begin and end a time in which control packets of
 * renegotiations are lost. With SIGHUP the clients move: what is passed on
 * comes from other ports. With SIGALRM the server moves: what comes back comes
 * from the port behind PORT, and there it listens instead.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 64, HELD = 1024, DATAGRAM = 2048 };

struct held {
    int64_t due; /* us; 0: free */
    int fd;
    struct sockaddr_in to;
    size_t size;
    uint8_t bytes[DATAGRAM];
};

struct client {
    struct sockaddr_in address;
    int fd; /* towards the server */
};

static struct relay {
    uint64_t random;
    unsigned loss, doubles, late, delay;
    struct sockaddr_in server, door;
    struct pollfd fds[1 + CLIENTS]; /* the door, and each client's */
    struct client clients[CLIENTS];
    size_t client_count;
    struct held held[HELD];
    unsigned long passed, lost, doubled, delayed;
} relay;

static volatile sig_atomic_t ended, no_new_keys, clients_move, server_moves;

static void take_signal(int number)
{
    switch (number) {
    case SIGTERM:
        ended = 1;
        break;
    case SIGHUP:
        clients_move = 1;
        break;
    case SIGALRM:
        server_moves = 1;
        break;
    default:
        no_new_keys = number == SIGUSR1;
    }
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* xorshift64* (Vigna): the same path for the same seed and datagrams. */
static unsigned below(unsigned limit)
{
    relay.random ^= relay.random >> 12;
    relay.random ^= relay.random << 25;
    relay.random ^= relay.random >> 27;
    return (unsigned)((relay.random * 2685821657736338717u) >> 33) % limit;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int udp_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int room = 4 * 1024 * 1024;
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return fd;
}

static void pass(const struct held *d)
{
    relay.passed++;
    (void)!sendto(d->fd, d->bytes, d->size, 0, (const struct sockaddr *)&d->to,
                  sizeof d->to);
}

static void hold(const struct held *d)
{
    for (size_t i = 0; i < HELD; i++) {
        struct held *place = &relay.held[i];
        if (place->due > 0)
            continue;
        *place = *d;
        place->due = now_us() + 1 + below(relay.delay * 1000);
        relay.delayed++;
        return;
    }
    pass(d);
}

/* Any opcode but that of data, and a key id. */
static bool is_renegotiation(const struct held *d)
{
    uint8_t opcode = d->bytes[0] >> 3;
    return d->size > 0 && opcode != 6 && opcode != 9 && (d->bytes[0] & 7) > 0;
}

static void fate(const struct held *d)
{
    if (below(100) < relay.loss || (no_new_keys && is_renegotiation(d))) {
        relay.lost++;
        return;
    }
    if (below(100) < relay.doubles) {
        relay.doubled++;
        pass(d);
    }
    if (relay.delay > 0 && below(100) < relay.late)
        hold(d);
    else
        pass(d);
}

static struct client *client_of(const struct sockaddr_in *address)
{
    for (size_t i = 0; i < relay.client_count; i++) {
        struct client *c = &relay.clients[i];
        if (c->address.sin_addr.s_addr == address->sin_addr.s_addr &&
            c->address.sin_port == address->sin_port)
            return c;
    }
    if (relay.client_count == CLIENTS)
        return NULL;
    struct client *c = &relay.clients[relay.client_count++];
    *c = (struct client){*address, udp_socket()};
    relay.fds[relay.client_count] = (struct pollfd){c->fd, POLLIN, 0};
    return c;
}

static bool receive(int fd, struct held *d, struct sockaddr_in *from)
{
    socklen_t size = sizeof *from;
    ssize_t n = recvfrom(fd, d->bytes, sizeof d->bytes, 0,
                         (struct sockaddr *)from, &size);
    d->size = n > 0 ? (size_t)n : 0;
    return n >= 0 || errno == ECONNREFUSED;
}

static void from_clients(void)
{
    struct held d = {0};
    struct sockaddr_in from;
    while (receive(relay.fds[0].fd, &d, &from)) {
        const struct client *c = client_of(&from);
        if (!c)
            continue;
        d.fd = c->fd;
        d.to = relay.server;
        fate(&d);
    }
}

static void from_server(const struct client *c)
{
    struct held d = {.fd = relay.fds[0].fd, .to = c->address};
    struct sockaddr_in from;
    while (receive(c->fd, &d, &from))
        fate(&d);
}

/* Lets go of what is due; ms until the next. */
static int release(void)
{
    int64_t now = now_us(), next = now + 1000000;
    for (size_t i = 0; i < HELD; i++) {
        struct held *d = &relay.held[i];
        if (d->due > 0 && d->due <= now) {
            pass(d);
            d->due = 0;
        } else if (d->due > 0 && d->due < next) {
            next = d->due;
        }
    }
    return (int)((next - now + 999) / 1000);
}

static void open_door(const struct sockaddr_in *address)
{
    relay.fds[0] = (struct pollfd){udp_socket(), POLLIN, 0};
    if (bind(relay.fds[0].fd, (const struct sockaddr *)address,
             sizeof *address) != 0)
        die("bind");
    relay.door = *address;
}

/* Held datagrams of the old sockets are lost. */
static void forget_held(int fd)
{
    for (size_t i = 0; i < HELD; i++) {
        if (relay.held[i].fd == fd)
            relay.held[i].due = 0;
    }
    close(fd);
}

static void move_clients(void)
{
    clients_move = 0;
    for (size_t i = 0; i < relay.client_count; i++) {
        int before = relay.clients[i].fd;
        relay.clients[i].fd = udp_socket();
        relay.fds[1 + i].fd = relay.clients[i].fd;
        forget_held(before);
    }
}

static void move_server(void)
{
    struct sockaddr_in door = relay.door;
    int before = relay.fds[0].fd;
    server_moves = 0;
    door.sin_port = htons((uint16_t)(ntohs(door.sin_port) + 1));
    open_door(&door);
    forget_held(before);
}

static void run(void)
{
    while (!ended) {
        if (clients_move)
            move_clients();
        if (server_moves)
            move_server();
        int timeout = release();
        if (poll(relay.fds, 1 + relay.client_count, timeout) <= 0)
            continue;
        if (relay.fds[0].revents)
            from_clients();
        for (size_t i = 0; i < relay.client_count; i++) {
            if (relay.fds[1 + i].revents)
                from_server(&relay.clients[i]);
        }
    }
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    struct sockaddr_in door = {.sin_family = AF_INET};
    if (argc != 9 || inet_pton(AF_INET, argv[1], &door.sin_addr) != 1) {
        fprintf(stderr, "usage: relay ADDRESS PORT SERVER-PORT SEED LOSS "
                        "DOUBLES LATE DELAY\n");
        return 2;
    }
    relay.server = door;
    door.sin_port = htons((uint16_t)number(argv[2]));
    relay.server.sin_port = htons((uint16_t)number(argv[3]));
    relay.random = number(argv[4]) * 2654435761u + 1;
    relay.loss = number(argv[5]);
    relay.doubles = number(argv[6]);
    relay.late = number(argv[7]);
    relay.delay = number(argv[8]);
    open_door(&door);
    const struct sigaction action = {.sa_handler = take_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    puts("ready");
    fflush(stdout);
    run();
    printf("%lu passed, %lu lost, %lu doubled, %lu late\n", relay.passed,
           relay.lost, relay.doubled, relay.delayed);
    return 0;
}
