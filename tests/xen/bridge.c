/*
 * Our network backend and nothing else: what one of two qubes sends goes to
 * the other. For measuring the backend beside the kernel's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/link/xen/netback.h"

/* A packet's `qube`: 10.137.0.11 is the first, 10.137.0.12 the second. */
static struct end {
    struct link_port *port;
} ends[2];

static void received(void *context, struct instant now,
                     struct packet_batch *batch)
{
    (void)context;
    struct packet *packets[2][64];
    for (uint16_t i = 0; i < batch->count;) {
        size_t count[2] = {0};
        for (int n = 0; n < 64 && i < batch->count; n++, i++) {
            struct packet *p = &batch->packets[i];
            int to = p->qube == (struct qube *)&ends[0];
            packets[to][count[to]++] = p;
        }
        for (int to = 0; to < 2; to++) {
            struct link_port *port = ends[to].port;
            if (port)
                port->link->kind->send(port, now, packets[to], count[to]);
        }
    }
}

static struct qube *qube_added(void *context, struct link_port *port,
                               const char *name, const struct address *ipv4,
                               const struct address *ipv6)
{
    (void)context;
    (void)name;
    (void)ipv6;
    struct end *end = &ends[ipv4->bytes[3] != 11];
    end->port = port;
    return (struct qube *)end;
}

static void qube_removed(void *context, struct qube *qube)
{
    (void)context;
    ((struct end *)qube)->port = NULL;
}

int main(void)
{
    const struct link_owner owner = {NULL, received, qube_added, qube_removed};
    enum error error;
    struct loop *loop = loop_new();
    if (!loop)
        return EXIT_FAILURE;
    if (!netback_open(NETBACK_KERNEL_MODULE, loop, &owner, &error)) {
        fprintf(stderr, "bridge: %s\n", error_text(error));
        return EXIT_FAILURE;
    }
    return loop_run(loop) == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
