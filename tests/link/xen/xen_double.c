#include "tests/link/xen/xen_double.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

enum { DOMAINS_MAX = 256, PORTS_MAX = 512 };

struct xengntdev_handle {
    int unused;
};

struct xenevtchn_handle {
    int ends[2]; /* netback's, the kernel's */
};

struct port {
    uint32_t domain;
    bool bound, masked, pending;
};

static struct {
    struct fake_frontend *domains[DOMAINS_MAX];
    struct port ports[PORTS_MAX];
    unsigned events[DOMAINS_MAX];
    unsigned mapped;
    bool absent;
    xenevtchn_handle *events_handle;
} xen;

void xen_double_reset(void)
{
    memset(xen.domains, 0, sizeof xen.domains);
    memset(xen.ports, 0, sizeof xen.ports);
    memset(xen.events, 0, sizeof xen.events);
    xen.mapped = 0;
    xen.absent = false;
}

void xen_double_set_domain(uint32_t domain, struct fake_frontend *f)
{
    assert(domain < DOMAINS_MAX);
    xen.domains[domain] = f;
}

void xen_double_set_devices(bool present)
{
    xen.absent = !present;
}

static struct fake_frontend *domain_of(uint32_t domain)
{
    return domain < DOMAINS_MAX ? xen.domains[domain] : NULL;
}

/* --- Grants -------------------------------------------------------------- */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned open_flags)
{
    (void)logger;
    (void)open_flags;
    if (xen.absent) {
        errno = ENOENT;
        return NULL;
    }
    return calloc(1, sizeof(struct xengntdev_handle));
}

int xengnttab_close(xengnttab_handle *xgt)
{
    free(xgt);
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
                              uint32_t ref, int prot)
{
    struct fake_frontend *f = domain_of(domid);
    (void)xgt;
    (void)prot;
    if (!f ||
        (ref != XEN_DOUBLE_TRANSMIT_REF && ref != XEN_DOUBLE_RECEIVE_REF)) {
        errno = EINVAL;
        return NULL;
    }
    xen.mapped++;
    return ref == XEN_DOUBLE_TRANSMIT_REF ? f->transmit.page : f->receive.page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    (void)xgt;
    assert(start_address && count == 1 && xen.mapped > 0);
    xen.mapped--;
    return 0;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
                         xengnttab_grant_copy_segment_t *segs)
{
    struct grant_copy copies[GRANT_COPIES_MAX];
    (void)xgt;
    assert(count > 0 && count <= GRANT_COPIES_MAX);
    bool from_qube = segs[0].flags == GNTCOPY_source_gref;
    uint16_t domain =
        from_qube ? segs[0].source.foreign.domid : segs[0].dest.foreign.domid;
    struct fake_frontend *f = domain_of(domain);
    for (uint32_t i = 0; i < count; i++) {
        const union xengnttab_copy_ptr *qube =
            from_qube ? &segs[i].source : &segs[i].dest;
        const union xengnttab_copy_ptr *local =
            from_qube ? &segs[i].dest : &segs[i].source;
        assert(segs[i].flags ==
               (from_qube ? GNTCOPY_source_gref : GNTCOPY_dest_gref));
        assert(qube->foreign.domid == domain);
        copies[i] = (struct grant_copy){
            .local = local->virt,
            .reference = qube->foreign.ref,
            .offset = qube->foreign.offset,
            .size = segs[i].len,
        };
        segs[i].status = GNTST_bad_domain;
    }
    if (!f)
        return 0;
    fake_frontend_copy(f, from_qube ? GRANT_FROM_QUBE : GRANT_TO_QUBE, copies,
                       count);
    for (uint32_t i = 0; i < count; i++)
        segs[i].status = copies[i].status;
    if (!f->copying_fails)
        return 0;
    /* A request that the kernel did not get to looks done. */
    for (uint32_t i = 0; i < count; i++)
        segs[i].status = 0;
    errno = EINVAL;
    return -1;
}

/* --- Event channels ------------------------------------------------------ */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    (void)logger;
    (void)flags;
    xenevtchn_handle *xce = calloc(1, sizeof *xce);
    assert(xce && !xen.events_handle);
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, xce->ends);
    assert(!failed);
    failed = fcntl(xce->ends[1], F_SETFL, O_NONBLOCK);
    assert(!failed);
    xen.events_handle = xce;
    return xce;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    close(xce->ends[0]);
    close(xce->ends[1]);
    memset(xen.ports, 0, sizeof xen.ports);
    xen.events_handle = NULL;
    free(xce);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->ends[0];
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
                                                     uint32_t domid,
                                                     evtchn_port_t remote_port)
{
    (void)xce;
    if (!domain_of(domid) || remote_port != XEN_DOUBLE_PORT) {
        errno = EINVAL;
        return -1;
    }
    for (int i = 1; i < PORTS_MAX; i++) {
        if (xen.ports[i].bound)
            continue;
        /* In Xen it is pending once; netback may not count on it. */
        xen.ports[i] = (struct port){.domain = domid, .bound = true};
        return i;
    }
    errno = ENOSPC;
    return -1;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    assert(port < PORTS_MAX && xen.ports[port].bound);
    xen.ports[port] = (struct port){0};
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    assert(port < PORTS_MAX && xen.ports[port].bound);
    struct fake_frontend *f = domain_of(xen.ports[port].domain);
    if (f)
        f->notified++;
    return 0;
}

bool xen_double_ring(uint32_t domain)
{
    bool bound = false;
    for (int i = 1; i < PORTS_MAX; i++) {
        if (!xen.ports[i].bound || xen.ports[i].domain != domain)
            continue;
        xen.ports[i].pending = true;
        bound = true;
    }
    xen_double_turn();
    return bound;
}

void xen_double_turn(void)
{
    evtchn_port_t port;
    if (!xen.events_handle)
        return;
    int kernel = xen.events_handle->ends[1];
    while (read(kernel, &port, sizeof port) == sizeof port) {
        assert(port < PORTS_MAX);
        xen.ports[port].masked = false;
    }
    for (port = 1; port < PORTS_MAX; port++) {
        struct port *p = &xen.ports[port];
        if (!p->bound || p->masked || !p->pending)
            continue;
        p->masked = true;
        p->pending = false;
        xen.events[p->domain]++;
        ssize_t sent = write(kernel, &port, sizeof port);
        assert(sent == sizeof port);
    }
}

unsigned xen_double_mapped(void)
{
    return xen.mapped;
}

unsigned xen_double_bound(void)
{
    unsigned count = 0;
    for (int i = 1; i < PORTS_MAX; i++)
        count += xen.ports[i].bound;
    return count;
}

unsigned xen_double_events(uint32_t domain)
{
    return xen.events[domain];
}
