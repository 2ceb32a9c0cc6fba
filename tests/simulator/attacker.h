/* An attacker on the path, without keys: sees every datagram, keeps some, and
 * sends copies of them to either end at any time. */
#ifndef SIMULATOR_ATTACKER_H
#define SIMULATOR_ATTACKER_H

#include "tests/simulator/pipe.h"

enum { ATTACKER_KEEPS = 48 };

struct attacker {
    unsigned percent; /* of datagrams, behind which a copy follows */
    uint32_t random;
    size_t count;
    unsigned copies; /* sent so far */
    struct {
        size_t size;
        uint8_t bytes[PIPE_DATAGRAM_MAX];
    } kept[ATTACKER_KEEPS];
};

/* One passes on a way; a copy of any may follow it on either. */
void attacker_see(struct attacker *a, struct instant now, struct bytes datagram,
                  struct pipe *up, struct pipe *down);

#endif
