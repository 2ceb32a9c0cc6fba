#include "gateway/uplink/dial.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/uplink/socket_name.h"

enum {
    RECEIVE_SIZE = 2048,
    /* The kernel takes this much beyond what it has on the way. More would wait
     * there, where nobody can decide what to drop. */
    UNSENT_MOST = 128 * 1024,
};

/* Its last act. */
static void fail(struct dial *d, struct instant now, const char *why)
{
    loop_remove(d->loop, &d->watch);
    close(d->watch.fd);
    d->watch.fd = -1;
    d->owner.failed(d->owner.context, now, why);
}

static size_t receive(struct dial *d, struct bytes in)
{
    switch (d->proxy) {
    case PROXY_HTTP:
        return proxy_http_receive(&d->http, in);
    case PROXY_SOCKS:
        return proxy_socks_receive(&d->socks, in);
    case PROXY_NONE:
        break;
    }
    return 0;
}

/* False: it broke, and that was told. */
static bool send_rest(struct dial *d, struct instant now)
{
    struct bytes all = writer_bytes(&d->talk.out);
    if (d->sent < all.size) {
        ssize_t n = send(d->watch.fd, all.data + d->sent, all.size - d->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            fail(d, now, strerror(errno));
            return false;
        }
        d->sent += n > 0 ? (size_t)n : 0;
    }
    unsigned events = LOOP_READ;
    if (d->sent < all.size)
        events |= LOOP_WRITE;
    loop_change(d->loop, &d->watch, events);
    return true;
}

static void hear(struct dial *d, struct instant now)
{
    uint8_t data[RECEIVE_SIZE];
    ssize_t n = recv(d->watch.fd, data, sizeof data, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        const char *why =
            n < 0 ? strerror(errno) : "the proxy closed the connection";
        fail(d, now, d->talk.why[0] ? d->talk.why : why);
        return;
    }
    size_t used = receive(d, bytes_of(data, (size_t)n));
    switch (d->talk.progress) {
    case PROXY_TALKING:
        (void)send_rest(d, now);
        break;
    case PROXY_DONE:
        if (d->sent < d->talk.out.size)
            fail(d, now, "the proxy answers before it has heard the question");
        else
            d->owner.done(d->owner.context, now,
                          bytes_of(data + used, (size_t)n - used));
        break;
    case PROXY_FAILED:
        fail(d, now, d->talk.why);
        break;
    }
}

static void finish_connect(struct dial *d, struct instant now)
{
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(d->watch.fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        number = errno;
    if (number != 0) {
        fail(d, now, strerror(number));
        return;
    }
    d->connected = true;
    if (d->proxy == PROXY_NONE)
        d->owner.done(d->owner.context, now, bytes_of(NULL, 0));
    else
        (void)send_rest(d, now);
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct dial *d = context;
    if (!d->connected)
        finish_connect(d, now);
    else if (send_rest(d, now) && events & (LOOP_READ | LOOP_ERROR))
        hear(d, now);
}

/* -1 with errno. */
static int open_socket(const struct endpoint *peer)
{
    union socket_name name;
    socklen_t size = socket_name_of(peer, &name);
    int on = 1;
    int most = UNSENT_MOST;
    int fd = socket(name.any.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
    if (connect(fd, &name.any, size) == 0 || errno == EINPROGRESS)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* False: `talk.why` says why there is nothing to say. */
static bool begin_talk(struct dial *d, const struct proxy *proxy,
                       enum proxy_socks_command command)
{
    d->proxy = proxy ? proxy->kind : PROXY_NONE;
    if (d->proxy == PROXY_HTTP)
        proxy_http_init(&d->http, proxy);
    else if (d->proxy == PROXY_SOCKS)
        proxy_socks_init(&d->socks, proxy, command);
    return d->proxy == PROXY_NONE || d->talk.progress != PROXY_FAILED;
}

enum error dial_open(struct dial *d, const struct endpoint *peer,
                     const struct proxy *proxy,
                     enum proxy_socks_command command, struct loop *loop,
                     const struct dial_owner *owner)
{
    char text[ENDPOINT_TEXT_SIZE];
    *d = (struct dial){.loop = loop, .watch = {-1, ready, d}, .owner = *owner};
    if (!begin_talk(d, proxy, command)) {
        log_warn("tcp: %s", d->talk.why);
        dial_close(d);
        return ERROR_INVALID;
    }
    d->watch.fd = open_socket(peer);
    enum error error = d->watch.fd < 0 ? error_of_errno(errno)
                                       : loop_add(loop, &d->watch, LOOP_WRITE);
    if (error == OK)
        return OK;
    log_warn("tcp: %s: %s", endpoint_format(peer, text), strerror(errno));
    if (d->watch.fd >= 0)
        close(d->watch.fd);
    d->watch.fd = -1;
    dial_close(d);
    return error;
}

int dial_take(struct dial *d)
{
    int fd = d->watch.fd;
    assert(fd >= 0);
    loop_remove(d->loop, &d->watch);
    d->watch.fd = -1;
    return fd;
}

void dial_close(struct dial *d)
{
    if (d->watch.fd >= 0) {
        loop_remove(d->loop, &d->watch);
        close(d->watch.fd);
    }
    secret_wipe(d, sizeof *d);
    d->watch.fd = -1;
}
