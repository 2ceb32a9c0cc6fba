/* One packet for a port's qube, as delivery sends them. */
#ifndef TESTS_LINK_SEND_ONE_H
#define TESTS_LINK_SEND_ONE_H

#include "gateway/link/link.h"

static inline void send_one(struct link_port *port, struct instant now,
                            struct packet *packet)
{
    struct packet *const packets[] = {packet};
    port->link->kind->send(port, now, packets, 1);
}

#endif
