/* Jobs on their way to the AEAD and the datagrams that they belong to. Part
 * of a channel, so that nothing is allocated or cleared for a packet. */
#ifndef OPENVPN_DATA_DATA_BATCH_H
#define OPENVPN_DATA_DATA_BATCH_H

#include "gateway/crypto/aead.h"
#include "gateway/packet/burst.h"

struct data_batch {
    size_t count;
    struct datagram *datagrams[AEAD_BATCH_MAX];
    struct aead_job jobs[AEAD_BATCH_MAX];
};

/* Room for one more job, which the caller has to see to. */
static inline struct aead_job *data_batch_add(struct data_batch *b,
                                              struct datagram *d)
{
    b->datagrams[b->count] = d;
    return &b->jobs[b->count++];
}

static inline bool data_batch_full(const struct data_batch *b)
{
    return b->count == AEAD_BATCH_MAX;
}

#endif
