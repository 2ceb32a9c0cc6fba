/*
 * Our network backend and nothing else: what one of two qubes sends goes to
 * the other. For measuring the backend beside the kernel's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/link/xen/netback.h"

struct bridge {
    struct link *link;
};

static void received(void *context, struct instant now,
                     struct packet_batch *batch)
{
    struct bridge *b = context;
    for (uint16_t i = 0; i < batch->count; i++)
        batch->packets[i].qube ^= 1;
    b->link->kind->send(b->link, now, batch->packets, batch->count);
}

/* 10.137.0.11 is 0, 10.137.0.12 is 1. */
static int qube_added(void *context, struct link *link, const char *name,
                      const struct address *ipv4, const struct address *ipv6)
{
    (void)context;
    (void)link;
    (void)name;
    (void)ipv6;
    return ipv4->bytes[3] - 11;
}

static void qube_removed(void *context, int qube)
{
    (void)context;
    (void)qube;
}

int main(void)
{
    struct bridge bridge = {NULL};
    const struct link_owner owner = {&bridge, received, qube_added,
                                     qube_removed};
    enum error error;
    struct loop *loop = loop_new();
    if (!loop)
        return EXIT_FAILURE;
    bridge.link = netback_open(NETBACK_KERNEL_MODULE, loop, &owner, &error);
    if (!bridge.link) {
        fprintf(stderr, "bridge: %s\n", error_text(error));
        return EXIT_FAILURE;
    }
    return loop_run(loop) == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
