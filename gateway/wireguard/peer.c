#include "gateway/wireguard/peer.h"

#include "gateway/base/secret.h"

bool peer_init(struct peer *p, uint16_t number, const struct identity *us,
               const uint8_t public_key[WIRE_KEY_SIZE],
               const uint8_t preshared[WIRE_KEY_SIZE],
               struct duration persistent)
{
    *p = (struct peer){
        .number = number,
        .taken = INSTANT_NEVER,
        .handshake = INSTANT_NEVER,
        .heard = INSTANT_NEVER,
        .data = INSTANT_NEVER,
    };
    cookie_holder_init(&p->cookies, public_key);
    peer_timers_init(&p->timers, persistent);
    return handshake_peer_init(&p->identity, us, public_key, preshared);
}

/* Wipes what the slot holds and puts another in. */
static void replace(struct index_table *indices, struct keypair **slot,
                    struct keypair *new)
{
    if (*slot)
        index_table_remove(indices, (*slot)->local_index);
    keypair_free(*slot);
    *slot = new;
}

/* Takes a keypair out of its slot, without an end. */
static struct keypair *taken(struct keypair **slot)
{
    struct keypair *k = *slot;
    *slot = NULL;
    return k;
}

void peer_clear(struct peer *p, struct index_table *indices)
{
    peer_forget_keys(p, indices);
    staging_clear(&p->staged);
    secret_wipe(p, sizeof *p);
}

void peer_take_initiated(struct peer *p, struct index_table *indices,
                         struct keypair *new)
{
    replace(indices, &p->previous, taken(p->next ? &p->next : &p->current));
    replace(indices, &p->current, new);
}

void peer_take_responded(struct peer *p, struct index_table *indices,
                         struct keypair *new)
{
    replace(indices, &p->previous, NULL);
    replace(indices, &p->next, new);
}

bool peer_confirm(struct peer *p, struct index_table *indices,
                  const struct keypair *by)
{
    if (by != p->next)
        return false;
    replace(indices, &p->previous, taken(&p->current));
    p->current = taken(&p->next);
    return true;
}

void peer_complete(struct peer *p, struct instant now)
{
    peer_timers_complete(&p->timers);
    p->handshake = now;
    p->handshakes++;
    p->busy = p->preshared_differs = p->gave_up = false;
}

void peer_forget_keys(struct peer *p, struct index_table *indices)
{
    replace(indices, &p->previous, NULL);
    replace(indices, &p->current, NULL);
    replace(indices, &p->next, NULL);
    peer_forget_initiation(p, indices);
}

void peer_forget_initiation(struct peer *p, struct index_table *indices)
{
    if (p->initiated)
        index_table_remove(indices, p->initiation.local_index);
    handshake_clear(&p->initiation);
    p->initiated = false;
}

struct keypair *peer_keypair(const struct peer *p, uint32_t local_index)
{
    struct keypair *const all[] = {p->current, p->previous, p->next};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] && all[i]->local_index == local_index)
            return all[i];
    return NULL;
}
