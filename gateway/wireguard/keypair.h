/*
 * The keys of one handshake, and the data under them: counters, the window
 * of those received, age. The AEAD works on batches, which are their owner's.
 */
#ifndef WIREGUARD_KEYPAIR_H
#define WIREGUARD_KEYPAIR_H

#include "gateway/base/instant.h"
#include "gateway/crypto/aead.h"
#include "gateway/packet/burst.h"
#include "gateway/wireguard/data/counter_window.h"
#include "gateway/wireguard/handshake.h"

enum { KEYPAIR_REJECT_AFTER = 180 /* s; REJECT_AFTER_TIME */ };

/* REKEY_AFTER_MESSAGES */
#define KEYPAIR_REKEY_AFTER (UINT64_C(1) << 60)

struct keypair {
    bool initiator; /* we were */
    struct instant created;
    uint32_t local_index, remote_index;
    uint64_t next_counter;
    struct aead *sealing, *opening;
    struct counter_window seen;
};

/* Takes what the handshake `h` came to, and wipes it. NULL when memory is
 * short. */
struct keypair *keypair_new(enum aead_library library, struct handshake *h,
                            struct instant now);
void keypair_free(struct keypair *k); /* wipes; NULL is none */

struct duration keypair_age(const struct keypair *k, struct instant now);
/* It is neither too old nor used up; NULL is not. */
bool keypair_fresh(const struct keypair *k, struct instant now);

/* Writes header and padding of a datagram that has its inner packet in its
 * place, and the job that seals it. `k` is fresh. */
void keypair_seal_job(struct keypair *k, struct datagram *d,
                      struct aead_job *job);
/* The job that opens a datagram with this counter. */
void keypair_open_job(struct datagram *d, uint64_t counter,
                      struct aead_job *job);

#endif
