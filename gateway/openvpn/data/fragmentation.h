/*
 * `fragment`: no datagram of ours is larger than the user allows, because
 * larger packets are cut inside of the tunnel; the peer's pieces are joined
 * again. Both ends have the header of fragment_header.h or neither.
 */
#ifndef OPENVPN_DATA_FRAGMENTATION_H
#define OPENVPN_DATA_FRAGMENTATION_H

#include "gateway/base/instant.h"
#include "gateway/openvpn/data/reassembly.h"
#include "gateway/packet/burst.h"

struct fragmentation {
    uint16_t max; /* bytes of a sealed datagram; 0: there is no header */
    uint8_t sequence;
    struct reassembly *reassembly; /* NULL until a piece comes */
};

/* Frees and wipes what came to be in use. */
void fragmentation_clear(struct fragmentation *f);

/* Makes the room that the header needs in a data channel's layout, and says
 * how much a datagram holds. */
struct burst_layout fragmentation_layout(const struct fragmentation *f,
                                         struct burst_layout channel);

/* Cuts packets before data_channel_seal(). They lie where the layout above puts
 * them; afterwards each piece lies where the channel's own layout wants it. */
void fragmentation_cut(struct fragmentation *f,
                       const struct burst_layout *layout, struct burst *burst);

/* Takes the header off datagrams [first, first + count) after
 * data_channel_open(). A datagram then has a whole packet, or is empty while
 * its packet lacks other pieces, or has a drop reason. */
void fragmentation_join(struct fragmentation *f, struct instant now,
                        struct burst *burst, size_t first, size_t count);

/* The number of pieces that were lost since the last call. */
uint64_t fragmentation_lost(struct fragmentation *f);

#endif
