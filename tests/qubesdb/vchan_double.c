#include "tests/qubesdb/vchan_double.h"

#include <assert.h>
#include <errno.h>
#include <libxenvchan.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xenstore.h>

static const char leaf[] = "/local/domain/0/data/vchan/7/111/event-channel";
static const char place[] = "/local/domain/0/data/vchan/7/111";

static struct {
    bool xenstore;
    const char *domid;
    bool leaf, leads_nowhere;
    int offered; /* our end of the next vchan */
    int watch;   /* eventfd of the xenstore watch, or -1 */
    int open_count;

    struct libxenvchan *vchan;
    int fd, event; /* of the open vchan */
    int seen;      /* bytes that were told of */
    bool wants_room;
} world = {.offered = -1, .watch = -1, .fd = -1, .event = -1};

static void ring(int event)
{
    if (event >= 0)
        eventfd_write(event, 1);
}

static bool rang(int event)
{
    struct pollfd polled = {.fd = event, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

void vchan_double_xenstore(bool present, const char *domid)
{
    world.xenstore = present;
    world.domid = domid;
}

int vchan_double_offer(void)
{
    int pair[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
    assert(!failed);
    if (world.offered >= 0)
        close(world.offered);
    world.offered = pair[0];
    world.leaf = true;
    world.leads_nowhere = false;
    ring(world.watch);
    return pair[1];
}

void vchan_double_offer_nothing(void)
{
    world.leaf = true;
    world.leads_nowhere = true;
    ring(world.watch);
}

void vchan_double_turn(void)
{
    int ready = 0;
    if (world.fd < 0)
        return;
    ioctl(world.fd, FIONREAD, &ready);
    struct pollfd polled = {.fd = world.fd, .events = POLLOUT | POLLRDHUP};
    poll(&polled, 1, 0);
    if (ready > world.seen || polled.revents & (POLLRDHUP | POLLHUP) ||
        (world.wants_room && polled.revents & POLLOUT)) {
        world.seen = ready;
        world.wants_room = false;
        ring(world.event);
    }
}

int vchan_double_open_count(void)
{
    return world.open_count;
}

/* --- libxenstore --------------------------------------------------------- */

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    if (!world.xenstore)
        return NULL;
    world.open_count++;
    world.watch = eventfd(0, EFD_NONBLOCK);
    return (struct xs_handle *)&world;
}

void xs_close(struct xs_handle *xenstore)
{
    assert(xenstore);
    close(world.watch);
    world.watch = -1;
    world.open_count--;
}

int xs_fileno(struct xs_handle *xenstore)
{
    assert(xenstore);
    return world.watch;
}

bool xs_watch(struct xs_handle *xenstore, const char *path, const char *token)
{
    assert(xenstore && token);
    assert(!strcmp(path, leaf)); /* its directory may not be read */
    ring(world.watch);           /* a watch fires once when it is set */
    return true;
}

char **xs_check_watch(struct xs_handle *xenstore)
{
    assert(xenstore);
    eventfd_t count;
    if (eventfd_read(world.watch, &count))
        return NULL;
    return calloc(2, sizeof(char *));
}

void *xs_read(struct xs_handle *xenstore, xs_transaction_t transaction,
              const char *path, unsigned *size)
{
    assert(xenstore && transaction == XBT_NULL);
    const char *text = NULL;
    if (!strcmp(path, "domid"))
        text = world.domid;
    else if (!strcmp(path, leaf) && world.leaf)
        text = "23";
    if (!text)
        return NULL;
    *size = (unsigned)strlen(text);
    return strdup(text);
}

/* --- libxenvchan --------------------------------------------------------- */

struct libxenvchan *libxenvchan_client_init(struct xentoollog_logger *logger,
                                            int domain, const char *path)
{
    assert(!logger && domain == 0 && !strcmp(path, place));
    if (world.leads_nowhere || world.offered < 0)
        return NULL;
    world.vchan = malloc(sizeof *world.vchan);
    assert(world.vchan);
    /* The library leaves what it does not set as malloc() gave it. */
    memset(world.vchan, 0xff, sizeof *world.vchan);
    world.fd = world.offered;
    world.offered = -1;
    world.leaf = false; /* the server removes it when a client has come */
    world.event = eventfd(0, EFD_NONBLOCK);
    world.seen = 0;
    world.open_count++;
    return world.vchan;
}

void libxenvchan_close(struct libxenvchan *vchan)
{
    assert(vchan == world.vchan);
    close(world.fd);
    close(world.event);
    free(vchan);
    world.vchan = NULL;
    world.fd = world.event = -1;
    world.open_count--;
}

int libxenvchan_fd_for_select(struct libxenvchan *vchan)
{
    assert(vchan == world.vchan);
    return world.event;
}

int libxenvchan_wait(struct libxenvchan *vchan)
{
    assert(vchan == world.vchan);
    assert(rang(world.event)); /* else the real one blocks */
    eventfd_t count;
    return eventfd_read(world.event, &count);
}

int libxenvchan_read(struct libxenvchan *vchan, void *data, size_t size)
{
    assert(vchan == world.vchan && !vchan->blocking);
    ssize_t got = recv(world.fd, data, size, MSG_DONTWAIT);
    if (got > 0) {
        world.seen -= (int)got;
        if (world.seen < 0)
            world.seen = 0;
        return (int)got;
    }
    return got == 0 || errno == EAGAIN ? 0 : -1;
}

int libxenvchan_write(struct libxenvchan *vchan, const void *data, size_t size)
{
    assert(vchan == world.vchan && !vchan->blocking);
    ssize_t sent = send(world.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 || (size_t)sent < size)
        world.wants_room = true;
    return sent < 0 ? (errno == EAGAIN ? 0 : -1) : (int)sent;
}

int libxenvchan_is_open(struct libxenvchan *vchan)
{
    assert(vchan == world.vchan);
    struct pollfd polled = {.fd = world.fd, .events = POLLRDHUP};
    poll(&polled, 1, 0);
    return !(polled.revents & (POLLRDHUP | POLLHUP));
}
