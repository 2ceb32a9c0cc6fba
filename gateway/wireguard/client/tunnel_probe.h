/*
 * A question of our own to the tunnel's resolver, because a WireGuard server
 * says nothing that it was not asked: its answer shows that the tunnel
 * carries packets both ways. It asks for the name servers of the root.
 */
#ifndef WIREGUARD_CLIENT_TUNNEL_PROBE_H
#define WIREGUARD_CLIENT_TUNNEL_PROBE_H

#include "gateway/base/address.h"

enum { TUNNEL_PROBE_SIZE_MAX = 40 + 8 + 17 };

struct tunnel_probe {
    struct address own, resolver; /* of one family */
    uint16_t port, id;            /* ours */
};

/* Both random; the port is one of those that are drawn for questions. */
void tunnel_probe_init(struct tunnel_probe *p, const struct address *own,
                       const struct address *resolver, const uint8_t random[4]);
/* The packet; its size. */
size_t tunnel_probe_write(const struct tunnel_probe *p,
                          uint8_t out[TUNNEL_PROBE_SIZE_MAX]);
/* Whether an IP packet, which is whole, answers it. */
bool tunnel_probe_answered(const struct tunnel_probe *p, struct bytes packet);

#endif
