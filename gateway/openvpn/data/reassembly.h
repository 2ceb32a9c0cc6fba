/*
 * Packets that the peer cut for `fragment` become whole again. The pieces of
 * the newest packets by sequence are kept, for some seconds. A piece that
 * contradicts the earlier ones, or comes a second time, belongs to a later
 * packet with the same sequence: the earlier pieces are lost then, and also
 * when their time is over or too many packets came since (openvpn:
 * fragment.c).
 */
#ifndef OPENVPN_DATA_REASSEMBLY_H
#define OPENVPN_DATA_REASSEMBLY_H

#include "gateway/base/instant.h"
#include "gateway/openvpn/data/fragment_header.h"
#include "gateway/packet/burst.h"

enum {
    REASSEMBLY_PACKETS = 32, /* a power of 2; OpenVPN has 25 */
    REASSEMBLY_SECONDS = 10, /* openvpn: fragment.h, FRAG_TTL_SEC */
};

struct reassembly; /* heap */

/* NULL when memory is short. */
struct reassembly *reassembly_new(void);
void reassembly_free(struct reassembly *r); /* wipes */

/* Takes the piece that is the inner bytes of `d`, a datagram of `burst`. Those
 * become the packet, in memory of the burst, where it is whole; else they
 * become empty, or there is a drop reason. */
void reassembly_take(struct reassembly *r, struct instant now,
                     const struct fragment_header *h, struct burst *burst,
                     struct datagram *d);

/* How many pieces were lost since the last call. */
uint64_t reassembly_lost(struct reassembly *r);

#endif
