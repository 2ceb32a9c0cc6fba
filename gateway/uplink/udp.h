/* A connected UDP socket with UDP_SEGMENT and UDP_GRO. */
#ifndef UPLINK_UDP_H
#define UPLINK_UDP_H

#include "gateway/uplink/uplink.h"

/* NULL and *error on failure; the log says what. connected() is called from
 * the loop, not from inside. */
struct uplink *udp_open(const struct endpoint *server, struct loop *loop,
                        const struct uplink_owner *owner, enum error *error);

#endif
