/*
 * The mouth and ears of an OpenVPN 3 peer: who has the session of OpenVPN 2
 * speaks through it as the OpenVPN 3 core does. It answers a soft reset with an
 * acknowledgement alone, so that its message 0 is TLS. Without a wrapping only.
 */
#ifndef SIMULATOR_CORE3_H
#define SIMULATOR_CORE3_H

#include "gateway/openvpn/control/control_packet.h"

struct core3 {
    bool answers[8];   /* by key id: the soft reset was the other end's */
    uint8_t initiated; /* the key id of the last soft reset of its own */
    unsigned answered; /* so many */
    uint8_t out[CONTROL_PACKET_SIZE_MAX], back[CONTROL_PACKET_SIZE_MAX];
};

/* The datagram that it says instead; empty: nothing, and it hears `back` at
 * once. */
struct bytes core3_say(struct core3 *c, struct bytes datagram,
                       struct bytes *back);
/* The datagram that it hears instead. */
struct bytes core3_hear(struct core3 *c, struct bytes datagram);

#endif
