/*
 * A one-way path that loses, doubles, delays and reorders datagrams as a
 * seed says: the same seed, the same path.
 */
#ifndef SIMULATOR_PIPE_H
#define SIMULATOR_PIPE_H

#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

enum {
    PIPE_DATAGRAMS_MAX = 256, /* under way at a time; more are lost */
    PIPE_DATAGRAM_MAX = 2048,
};

struct pipe_faults {
    unsigned loss;          /* percent */
    unsigned doubles;       /* percent */
    struct duration delay;  /* of each */
    struct duration jitter; /* up to so much more: what reorders */
    bool no_new_keys;       /* control packets of renegotiations are lost */
};

struct pipe_datagram {
    struct instant due;
    uint64_t order; /* of sending, among those due at once */
    size_t size;    /* 0: the place is free */
    uint8_t bytes[PIPE_DATAGRAM_MAX];
};

struct pipe {
    struct pipe_faults faults;
    uint32_t random;
    uint64_t sent, lost, doubled;
    uint64_t data_lost; /* of the data channel */
    struct pipe_datagram under_way[PIPE_DATAGRAMS_MAX];
};

void pipe_init(struct pipe *p, uint32_t seed, const struct pipe_faults *faults);
void pipe_send(struct pipe *p, struct instant now, struct bytes datagram);
/* The next that has arrived, copied; false if none has. */
MUST_USE bool pipe_receive(struct pipe *p, struct instant now,
                           uint8_t out[PIPE_DATAGRAM_MAX], size_t *size);
/* When the next one arrives. */
struct instant pipe_deadline(const struct pipe *p);

#endif
