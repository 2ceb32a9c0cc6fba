/*
 * Ports are read from and written to the descriptor itself: an array of
 * them at a time, and never blocking, which the library's own calls may do.
 */
#include "gateway/link/xen/event_channel.h"

#include "gateway/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenevtchn.h>

enum { PORTS_MAX = 128 };

struct event_channel {
    xenevtchn_handle *handle;
    struct loop *loop;
    struct loop_watch watch;
    struct event_channel_owner owner;
};

static void ready(void *context, struct instant now, unsigned events)
{
    struct event_channel *e = context;
    evtchn_port_t ports[PORTS_MAX];
    (void)events;
    ssize_t got = read(e->watch.fd, ports, sizeof ports);
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        log_error("xen: cannot read event channels: %s", strerror(errno));
    for (ssize_t i = 0; i < got / (ssize_t)sizeof *ports; i++)
        e->owner.rang(e->owner.context, ports[i]);
    e->owner.settled(e->owner.context, now);
}

static bool start(struct event_channel *e, enum error *error)
{
    e->handle = xenevtchn_open(NULL, 0);
    if (!e->handle) {
        *error = error_of_errno(errno);
        return false;
    }
    e->watch.fd = xenevtchn_fd(e->handle);
    int flags = fcntl(e->watch.fd, F_GETFL);
    if (flags < 0 || fcntl(e->watch.fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        *error = error_of_errno(errno);
        return false;
    }
    *error = loop_add(e->loop, &e->watch, LOOP_READ);
    return *error == OK;
}

struct event_channel *
event_channel_open(struct loop *loop, const struct event_channel_owner *owner,
                   enum error *error)
{
    struct event_channel *e = calloc(1, sizeof *e);
    if (!e) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    *e = (struct event_channel){
        .loop = loop,
        .watch = {.fd = -1, .ready = ready, .context = e},
        .owner = *owner,
    };
    if (start(e, error))
        return e;
    log_error("xen: cannot open event channels: %s", error_text(*error));
    if (e->handle)
        xenevtchn_close(e->handle);
    free(e);
    return NULL;
}

void event_channel_close(struct event_channel *e)
{
    if (!e)
        return;
    loop_remove(e->loop, &e->watch);
    xenevtchn_close(e->handle);
    free(e);
}

bool event_channel_bind(struct event_channel *e, uint32_t domain,
                        uint32_t remote_port, uint32_t *port)
{
    int bound = xenevtchn_bind_interdomain(e->handle, domain, remote_port);
    if (bound < 0)
        return false;
    *port = (uint32_t)bound;
    return true;
}

void event_channel_unbind(struct event_channel *e, uint32_t port)
{
    if (xenevtchn_unbind(e->handle, port) != 0)
        log_error("xen: cannot unbind an event channel: %s", strerror(errno));
}

void event_channel_notify(struct event_channel *e, uint32_t port)
{
    /* Fails where the other end is gone, which xenstore tells us. */
    (void)xenevtchn_notify(e->handle, port);
}

void event_channel_unmask(struct event_channel *e, uint32_t port)
{
    evtchn_port_t p = port;
    if (write(e->watch.fd, &p, sizeof p) != sizeof p)
        log_error("xen: cannot unmask an event channel: %s", strerror(errno));
}
