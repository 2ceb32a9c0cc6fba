/* The Unix stream socket of the qube's own qubesdb-daemon. */
#include "qubesdb/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct socket_transport {
    struct transport transport;
    int fd;
};

static const struct socket_transport *const_of(const struct transport *t)
{
    return (const struct socket_transport *)t;
}

static int connect_to(const char *where, const char **why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(where);
    if (size >= sizeof address.sun_path) {
        *why = "the path of the socket is too long";
        return -1;
    }
    memcpy(address.sun_path, where, size);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* A Unix socket connects at once, or its backlog is full (EAGAIN). */
    if (fd >= 0 &&
        !connect(fd, (const struct sockaddr *)&address, sizeof address))
        return fd;
    *why = strerror(errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

static struct transport *open_socket(const char *where, const char **why)
{
    int fd = connect_to(where, why);
    if (fd < 0)
        return NULL;
    struct socket_transport *t = calloc(1, sizeof *t);
    if (!t) {
        *why = "out of memory";
        close(fd);
        return NULL;
    }
    t->transport.kind = &transport_socket;
    t->fd = fd;
    return &t->transport;
}

static int descriptor(const struct transport *t)
{
    return const_of(t)->fd;
}

static enum transport_state progress(struct transport *t)
{
    (void)t;
    return TRANSPORT_OPEN;
}

static bool is_passing(int number)
{
    return number == EAGAIN || number == EINTR;
}

static ptrdiff_t read_socket(struct transport *t, void *data, size_t capacity)
{
    ssize_t size = recv(const_of(t)->fd, data, capacity, 0);
    if (size > 0)
        return size;
    return size < 0 && is_passing(errno) ? 0 : -1;
}

static ptrdiff_t write_socket(struct transport *t, struct bytes data)
{
    ssize_t size = send(const_of(t)->fd, data.data, data.size, MSG_NOSIGNAL);
    if (size >= 0)
        return size;
    return is_passing(errno) ? 0 : -1;
}

static void close_socket(struct transport *t)
{
    close(const_of(t)->fd);
    free(t);
}

const struct transport_kind transport_socket = {
    .name = "socket",
    .dialect = CONVERSATION_LOCAL,
    .waits_for_room = true,
    .open = open_socket,
    .descriptor = descriptor,
    .progress = progress,
    .read = read_socket,
    .write = write_socket,
    .close = close_socket,
};
