/*
 * Traffic to measure a path with: as much as it takes, and not more.
 *
 *   blast sink PORT                     answers the two below, for ever
 *   blast udp ADDRESS PORT COUNT SIZE   datagrams, a window of them in flight
 *   blast tcp ADDRESS PORT MEGABYTES    one connection
 *
 * The senders print "FRAMES BYTES MICROSECONDS" of what the sink received;
 * FRAMES counts its acknowledgements, too, and is 0 for TCP, whose frames are
 * cut by others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    WINDOW = 128,
    ACK_EVERY = 32,
    QUIET_MS = 100, /* then the sink acknowledges what it has */
    LOST_MS = 1000, /* then what is in flight counts as lost */
    CHUNK = 65536,
};

static void give_up(const char *what)
{
    fprintf(stderr, "blast: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int open_socket(int type, const char *address, const char *port,
                       bool listening)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const int on = 1;
    int fd = socket(AF_INET, type, 0);
    if (fd < 0)
        give_up("socket");
    to.sin_port = htons((uint16_t)atoi(port));
    if (address && inet_pton(AF_INET, address, &to.sin_addr) != 1)
        give_up(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listening ? bind(fd, (struct sockaddr *)&to, sizeof to)
                  : connect(fd, (struct sockaddr *)&to, sizeof to))
        give_up(listening ? "bind" : "connect");
    return fd;
}

/* --- The sink ------------------------------------------------------------ */

struct count {
    struct sockaddr_in from;
    uint32_t received; /* of the present run, whose number follows */
    uint32_t run;
    uint32_t told;
};

static void tell(int fd, struct count *c)
{
    if (c->received == c->told)
        return;
    c->told = c->received;
    sendto(fd, &c->received, sizeof c->received, 0, (struct sockaddr *)&c->from,
           sizeof c->from);
}

static void take_datagrams(int fd, struct count *c)
{
    static uint32_t datagram[CHUNK / 4];
    socklen_t size = sizeof c->from;
    while (recvfrom(fd, datagram, sizeof datagram, MSG_DONTWAIT,
                    (struct sockaddr *)&c->from, &size) >= 4) {
        if (datagram[0] != c->run)
            *c = (struct count){.from = c->from, .run = datagram[0]};
        if (++c->received - c->told >= ACK_EVERY)
            tell(fd, c);
    }
}

/* One connection to its end; the sender waits for the eight bytes. */
static void take_connection(int fd)
{
    static char chunk[CHUNK];
    uint64_t total = 0;
    int connection = accept(fd, NULL, NULL);
    if (connection < 0)
        return;
    for (ssize_t got; (got = read(connection, chunk, sizeof chunk)) > 0;)
        total += (uint64_t)got;
    if (write(connection, &total, sizeof total) != sizeof total)
        perror("blast: telling the sender");
    close(connection);
}

static _Noreturn void sink(const char *port)
{
    struct pollfd on[2] = {
        {.fd = open_socket(SOCK_DGRAM, NULL, port, true), .events = POLLIN},
        {.fd = open_socket(SOCK_STREAM, NULL, port, true), .events = POLLIN},
    };
    struct count count = {.run = 0};
    if (listen(on[1].fd, 1))
        give_up("listen");
    for (;;) {
        if (poll(on, 2, QUIET_MS) == 0)
            tell(on[0].fd, &count);
        if (on[0].revents)
            take_datagrams(on[0].fd, &count);
        if (on[1].revents)
            take_connection(on[1].fd);
    }
}

/* --- The senders --------------------------------------------------------- */

static int send_datagrams(int fd, uint32_t count, size_t size)
{
    static uint32_t datagram[CHUNK / 4];
    struct pollfd on = {.fd = fd, .events = POLLIN};
    uint32_t sent = 0, received = 0, lost = 0, acks = 0;
    int64_t began = now_us();
    datagram[0] = (uint32_t)began | 1;
    while (received + lost < count) {
        while (sent < count && sent - received - lost < WINDOW) {
            if (send(fd, datagram, size, 0) < 0 && errno != ENOBUFS)
                give_up("send");
            sent++;
        }
        if (poll(&on, 1, LOST_MS) == 0)
            lost = sent - received;
        for (uint32_t told; recv(fd, &told, sizeof told, MSG_DONTWAIT) == 4;
             acks++)
            received = told;
    }
    printf("%u %llu %lld\n", received + acks,
           (unsigned long long)received * size, (long long)(now_us() - began));
    return 0;
}

static int send_stream(int fd, uint64_t megabytes)
{
    static char chunk[CHUNK];
    uint64_t left = megabytes << 20, received;
    int64_t began = now_us();
    while (left) {
        ssize_t done = write(fd, chunk, left < CHUNK ? left : CHUNK);
        if (done < 0)
            give_up("write");
        left -= (uint64_t)done;
    }
    shutdown(fd, SHUT_WR);
    if (read(fd, &received, sizeof received) != sizeof received)
        give_up("the sink says nothing");
    printf("0 %llu %lld\n", (unsigned long long)received,
           (long long)(now_us() - began));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "sink") == 0)
        sink(argv[2]);
    if (argc == 6 && strcmp(argv[1], "udp") == 0 && atoi(argv[5]) >= 4 &&
        atoi(argv[5]) <= CHUNK)
        return send_datagrams(open_socket(SOCK_DGRAM, argv[2], argv[3], false),
                              (uint32_t)atoi(argv[4]), (size_t)atoi(argv[5]));
    if (argc == 5 && strcmp(argv[1], "tcp") == 0)
        return send_stream(open_socket(SOCK_STREAM, argv[2], argv[3], false),
                           (uint64_t)atoi(argv[4]));
    fputs("usage: blast sink PORT | udp ADDRESS PORT COUNT SIZE |"
          " tcp ADDRESS PORT MEGABYTES\n",
          stderr);
    return 2;
}
