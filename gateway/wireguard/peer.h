/*
 * One peer: its keys, the handshake that is under way, what waits for it.
 *
 *   event                                previous      current   next
 *   a response to our initiation         old current,  new       -
 *                                        or old next
 *   a response of ours went out          -             as was    new
 *   first data under `next`              old current   old next  -
 *   given up, or 540 s without new keys  -             -         -
 *
 * All three receive; only `current' sends. So a responder sends nothing under
 * keys that the other end may not have yet.
 */
#ifndef WIREGUARD_PEER_H
#define WIREGUARD_PEER_H

#include "gateway/wireguard/cookie.h"
#include "gateway/wireguard/data/staging.h"
#include "gateway/wireguard/index_table.h"
#include "gateway/wireguard/keypair.h"
#include "gateway/wireguard/peer_timers.h"

struct peer {
    uint16_t number; /* in the device */
    struct handshake_peer identity;
    struct cookie_holder cookies;
    struct endpoint endpoint; /* family NONE: not known */
    struct handshake initiation;
    bool initiated; /* `initiation` may still be answered */
    struct keypair *previous, *current, *next;
    struct peer_timers timers;
    struct staging staged;
    bool keepalive_due; /* unless something else is sent first */
    bool working;       /* it is in the device's list of work */
    /* The timestamp of its own initiations. */
    uint8_t timestamp[WIRE_TIMESTAMP_SIZE];
    struct instant taken; /* the last one; NEVER: none */
    /* Its state is told from these. */
    struct instant handshake; /* the last that was completed, or NEVER */
    struct instant heard;     /* its last authentic message, or NEVER */
    struct instant data;      /* the last under its keys, or NEVER */
    bool silent;              /* data was sent 15 s ago, nothing came */
    bool gave_up;             /* no initiation was answered for 90 s */
    bool busy;                /* it answered with a cookie */
    bool preshared_differs;   /* an answer that our keys do not open: a hint */
    uint64_t initiations;     /* sent, */
    uint64_t handshakes;      /* and completed by either side */
    uint64_t packets_sealed, packets_opened;
    uint64_t bytes_sealed, bytes_opened; /* inner bytes */
};

/* False where the key cannot be anybody's. */
MUST_USE bool peer_init(struct peer *p, uint16_t number,
                        const struct identity *us,
                        const uint8_t public_key[WIRE_KEY_SIZE],
                        const uint8_t preshared[WIRE_KEY_SIZE],
                        struct duration persistent);
/* Wipes; its indices leave the table. */
void peer_clear(struct peer *p, struct index_table *indices);

/* The first two rows of the table above. */
void peer_take_initiated(struct peer *p, struct index_table *indices,
                         struct keypair *new);
void peer_take_responded(struct peer *p, struct index_table *indices,
                         struct keypair *new);
/* The third, if the data came under `next'. */
bool peer_confirm(struct peer *p, struct index_table *indices,
                  const struct keypair *by);
/* Both ends have the new keys, whoever began: what the tries before met is
 * over. */
void peer_complete(struct peer *p, struct instant now);
/* The last, and forgets the initiation. */
void peer_forget_keys(struct peer *p, struct index_table *indices);
void peer_forget_initiation(struct peer *p, struct index_table *indices);

/* The keys with this index of ours, or NULL. */
struct keypair *peer_keypair(const struct peer *p, uint32_t local_index);

#endif
