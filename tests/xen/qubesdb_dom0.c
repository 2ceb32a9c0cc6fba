/*
 * dom0's qubesdb-daemon of one qube: the tests' QubesDB behind a vchan, where
 * the real one has it.
 *
 *   qubesdb_dom0 DOMAIN
 *
 * Takes one command a line, and answers each with a line:
 *
 *   write PATH [VALUE]   ok
 *   rm PATH              ok | absent
 *   read PATH            = VALUE | absent
 *
 * It ends with its commands. A client that goes leaves room for the next.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xenstore.h>

#include "gateway/base/libxenvchan.h"
#include "tests/qubesdb/daemon.h"

enum { QUBESDB_PORT = 111, RING_SIZE = 4096, LINE_SIZE = 8192, TURN_MS = 100 };

struct dom0 {
    struct daemon *daemon;
    struct xs_handle *xenstore;
    int domain;
    char place[64]; /* of the vchan in xenstore */
    struct libxenvchan *vchan;
    int pair[2]; /* ours, and the daemon's; -1 without a client */
    int epoll;
};

static void give_up(const char *what)
{
    fprintf(stderr, "qubesdb_dom0: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void watch(struct dom0 *d, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(d->epoll, operation, fd, &event))
        give_up("epoll_ctl");
}

/* --- The vchan ----------------------------------------------------------- */

static void offer(struct dom0 *d)
{
    d->vchan = libxenvchan_server_init(NULL, d->domain, d->place, RING_SIZE,
                                       RING_SIZE);
    if (!d->vchan)
        give_up("libxenvchan_server_init");
    d->vchan->blocking = 0;
    watch(d, EPOLL_CTL_ADD, libxenvchan_fd_for_select(d->vchan), EPOLLIN);
}

/* The place is for one client; Qubes' libvchan clears it as soon as it has
 * come. */
static void welcome(struct dom0 *d)
{
    xs_rm(d->xenstore, XBT_NULL, d->place);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, d->pair))
        give_up("socketpair");
    daemon_adopt(d->daemon, d->pair[1]);
    watch(d, EPOLL_CTL_ADD, d->pair[0], EPOLLIN);
}

static void part(struct dom0 *d)
{
    if (d->pair[0] >= 0)
        close(d->pair[0]);
    d->pair[0] = d->pair[1] = -1;
    libxenvchan_close(d->vchan);
    offer(d);
}

static void to_daemon(struct dom0 *d)
{
    static char chunk[RING_SIZE];
    while (libxenvchan_data_ready(d->vchan) > 0) {
        int size = libxenvchan_read(d->vchan, chunk, sizeof chunk);
        if (size <= 0)
            return;
        if (send(d->pair[0], chunk, (size_t)size, MSG_NOSIGNAL) != size)
            give_up("the daemon does not take what came");
    }
}

static void to_client(struct dom0 *d)
{
    static char chunk[RING_SIZE];
    for (;;) {
        int room = libxenvchan_buffer_space(d->vchan);
        /* The client's reading is an event of the vchan. */
        watch(d, EPOLL_CTL_MOD, d->pair[0], room > 0 ? EPOLLIN : 0);
        if (room <= 0)
            return;
        ssize_t size =
            recv(d->pair[0], chunk,
                 (size_t)room < sizeof chunk ? (size_t)room : sizeof chunk,
                 MSG_DONTWAIT);
        if (size <= 0)
            return;
        if (libxenvchan_write(d->vchan, chunk, (size_t)size) != size)
            give_up("the vchan does not take what it has room for");
    }
}

static void pump(struct dom0 *d)
{
    int open = libxenvchan_is_open(d->vchan);
    if (open == 1 && d->pair[0] < 0)
        welcome(d);
    if (d->pair[0] >= 0) {
        to_daemon(d);
        to_client(d);
    }
    if (open == 0)
        part(d);
}

/* --- Commands ------------------------------------------------------------ */

static const char *cut(char **line)
{
    const char *word = strsep(line, " ");
    return word ? word : "";
}

static void obey(struct dom0 *d, char *line)
{
    const char *command = cut(&line), *path = cut(&line);
    const char *value = line ? line : "";
    if (strcmp(command, "write") == 0) {
        daemon_write(d->daemon, path, value);
        puts("ok");
    } else if (strcmp(command, "rm") == 0) {
        puts(daemon_remove(d->daemon, path) ? "ok" : "absent");
    } else {
        value = daemon_value(d->daemon, path);
        if (value)
            printf("= %s\n", value);
        else
            puts("absent");
    }
}

/* Obeys whole lines; false at the end of them. */
static bool read_commands(struct dom0 *d)
{
    static char input[LINE_SIZE];
    static size_t size;
    ssize_t got = read(STDIN_FILENO, input + size, sizeof input - size);
    if (got <= 0)
        return false;
    size += (size_t)got;
    for (char *end; (end = memchr(input, '\n', size));) {
        size_t line_size = (size_t)(end - input) + 1;
        *end = '\0';
        obey(d, input);
        size -= line_size;
        memmove(input, input + line_size, size);
    }
    return size < sizeof input;
}

/* ------------------------------------------------------------------------- */

static bool turn(struct dom0 *d)
{
    struct epoll_event events[4];
    daemon_turn(d->daemon, TURN_MS, d->epoll);
    int count = epoll_wait(d->epoll, events, 4, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == STDIN_FILENO && !read_commands(d))
            return false;
        if (events[i].data.fd == libxenvchan_fd_for_select(d->vchan))
            libxenvchan_wait(d->vchan);
    }
    pump(d);
    return true;
}

int main(int argc, char **argv)
{
    static struct dom0 d = {.pair = {-1, -1}};
    if (argc != 2) {
        fputs("usage: qubesdb_dom0 DOMAIN\n", stderr);
        return 2;
    }
    if (!libxenvchan_load())
        return EXIT_FAILURE;
    d.domain = atoi(argv[1]);
    snprintf(d.place, sizeof d.place, "data/vchan/%d/%d", d.domain,
             QUBESDB_PORT);
    d.daemon = daemon_new();
    d.xenstore = xs_open(0);
    d.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!d.xenstore || d.epoll < 0)
        give_up("xenstore");
    watch(&d, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    offer(&d);
    while (turn(&d))
        continue;
    return EXIT_SUCCESS;
}
