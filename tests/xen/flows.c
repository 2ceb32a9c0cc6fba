/*
 * Opens many flows at a firewall between us and an address: a datagram of one
 * byte to each port of it, from each of some ports of ours.
 *
 *   flows ADDRESS SOURCES [PAUSE]      milliseconds, after each 64 datagrams
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_FIRST = 1024, PORT_LAST = 32767, BURST = 64, PAUSE = 2 /* ms */ };

static void give_up(const char *what)
{
    fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* Packets that are sent faster than they are taken are lost: not all need to
 * arrive. */
static void send_to_all(const char *address, int pause)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
        give_up(address);
    for (int port = PORT_FIRST; port <= PORT_LAST; port++) {
        to.sin_port = htons((uint16_t)port);
        /* Answers that nobody listens come back as errors. */
        if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to) <
                0 &&
            errno != ECONNREFUSED && errno != ENOBUFS)
            give_up("sendto");
        if (port % BURST == 0)
            usleep((useconds_t)pause * 1000);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fputs("usage: flows ADDRESS SOURCES [PAUSE]\n", stderr);
        return 2;
    }
    for (int left = atoi(argv[2]); left > 0; left--)
        send_to_all(argv[1], argc == 4 ? atoi(argv[3]) : PAUSE);
    return EXIT_SUCCESS;
}
