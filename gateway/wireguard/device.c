#include "gateway/wireguard/device.h"

#include <stdlib.h>

#include "gateway/base/secret.h"
#include "gateway/wireguard/device_state.h"

enum { SCRATCH_SIZE = UINT16_MAX };

struct duration device_jitter(const struct device *d)
{
    uint8_t random[4];
    d->env.random(d->env.context, random, sizeof random);
    return (struct duration){load_u32(random) % (PEER_TIMERS_JITTER_US + 1)};
}

void device_wants(struct device *d, struct peer *p)
{
    if (p->working)
        return;
    p->working = true;
    d->work[d->work_count++] = p->number;
}

uint32_t device_new_index(const struct device *d)
{
    uint8_t random[4];
    do
        d->env.random(d->env.context, random, sizeof random);
    while (index_table_find(&d->indices, load_u32(random)) !=
           INDEX_TABLE_NOBODY);
    return load_u32(random);
}

static struct device_message *message_at(struct device *d, unsigned number)
{
    return &d->messages[(d->message_first + number) % DEVICE_MESSAGES_MAX];
}

/* A peer that is sent another initiation before the first has left has no use
 * for that: its answer would not be taken. Strangers leave room for peers. */
static struct device_message *place_in_queue(struct device *d, uint16_t peer,
                                             const uint8_t *bytes)
{
    bool stranger = peer == ALLOWED_IPS_NOBODY;
    unsigned most = stranger ? DEVICE_MESSAGES_STRANGERS : DEVICE_MESSAGES_MAX;
    for (unsigned i = 0; !stranger && i < d->message_count; i++) {
        struct device_message *m = message_at(d, i);
        if (m->peer == peer && bytes[0] == WIRE_INITIATION &&
            m->bytes[0] == WIRE_INITIATION)
            return m;
    }
    return d->message_count >= most ? NULL : message_at(d, d->message_count++);
}

void device_queue(struct device *d, uint16_t peer, const struct endpoint *to,
                  uint8_t tos, const uint8_t *bytes, size_t size)
{
    bool known = address_is_set(&to->address);
    struct device_message *m = known ? place_in_queue(d, peer, bytes) : NULL;
    if (!m) {
        drop_count(&d->drops,
                   known ? DROP_HANDSHAKE_QUEUE : DROP_SEAL_NO_ENDPOINT);
        return;
    }
    *m = (struct device_message){
        .peer = peer, .to = *to, .tos = tos, .size = (uint8_t)size};
    memcpy(m->bytes, bytes, size);
}

/* --- Timers -------------------------------------------------------------- */

static void give_up(struct device *d, struct peer *p, struct instant now)
{
    p->gave_up = true;
    d->drops.count[DROP_SEAL_NO_KEY] += staging_clear(&p->staged);
    p->timers.at[PEER_TIMER_KEEPALIVE] = INSTANT_NEVER;
    if (instant_is_never(p->timers.at[PEER_TIMER_ZERO]))
        peer_timers_derived(&p->timers, now);
}

static void send_keepalive(struct device *d, struct peer *p, struct instant now)
{
    p->keepalive_due = true;
    if (!keypair_fresh(p->current, now))
        device_initiate(d, p, now, false);
    device_wants(d, p);
}

static void expire(struct device *d, struct peer *p, struct instant now,
                   enum peer_timer timer)
{
    switch (timer) {
    case PEER_TIMER_HANDSHAKE:
        if (p->timers.retries > PEER_TIMERS_RETRIES) {
            give_up(d, p, now);
        } else {
            p->timers.retries++;
            device_initiate(d, p, now, true);
        }
        break;
    case PEER_TIMER_KEEPALIVE:
    case PEER_TIMER_PERSISTENT:
        send_keepalive(d, p, now);
        break;
    case PEER_TIMER_SILENCE:
        p->silent = true;
        device_initiate(d, p, now, false);
        break;
    case PEER_TIMER_ZERO:
        peer_forget_keys(p, &d->indices);
        break;
    case PEER_TIMER_COUNT:
        break;
    }
}

void device_expire(struct device *d, struct instant now)
{
    for (uint16_t i = 0; i < d->peer_count; i++) {
        struct peer *p = &d->peers[i];
        enum peer_timer timer;
        while ((timer = peer_timers_due(&p->timers, now)) != PEER_TIMER_COUNT)
            expire(d, p, now, timer);
    }
}

struct instant device_deadline(const struct device *d)
{
    struct instant earliest = INSTANT_NEVER;
    if (d->message_count > 0 || d->work_count > 0)
        return (struct instant){0};
    for (uint16_t i = 0; i < d->peer_count; i++)
        earliest = instant_earlier(earliest,
                                   peer_timers_deadline(&d->peers[i].timers));
    return earliest;
}

/* --- What is to be sent -------------------------------------------------- */

static void take_message(struct device *d, struct device_send *out)
{
    const struct device_message *m = message_at(d, 0);
    d->message_first = (uint16_t)((d->message_first + 1) % DEVICE_MESSAGES_MAX);
    d->message_count--;
    *out = (struct device_send){
        .peer = m->peer,
        .to = m->to,
        .tos = m->tos,
        .bytes = bytes_of(m->bytes, m->size),
    };
}

bool device_poll(struct device *d, struct instant now, struct device_send *out)
{
    if (d->message_count > 0) {
        take_message(d, out);
        return true;
    }
    while (d->work_count > 0) {
        struct peer *p = &d->peers[d->work[d->work_count - 1]];
        if (device_next_packet(d, now, p, out))
            return true;
        p->working = false;
        d->work_count--;
    }
    return false;
}

void device_count_lost(struct device *d, enum drop why)
{
    drop_count(&d->drops, why);
}

/* --- Orders -------------------------------------------------------------- */

void device_set_mtu(struct device *d, uint16_t mtu)
{
    d->options.mtu = mtu;
}

void device_set_endpoint(struct device *d, uint16_t peer,
                         const struct endpoint *endpoint)
{
    d->peers[peer].endpoint = *endpoint;
}

void device_connect(struct device *d, uint16_t peer, struct instant now,
                    bool at_once)
{
    struct peer *p = &d->peers[peer];
    if (at_once)
        p->timers.handshake_sent = INSTANT_NEVER;
    device_initiate(d, p, now, false);
}

void device_disconnect(struct device *d, uint16_t peer)
{
    struct peer *p = &d->peers[peer];
    struct duration persistent = p->timers.persistent;
    peer_forget_keys(p, &d->indices);
    d->drops.count[DROP_SEAL_NO_KEY] += staging_clear(&p->staged);
    peer_timers_init(&p->timers, persistent);
    p->silent = p->gave_up = p->keepalive_due = false;
    p->busy = p->preshared_differs = false;
}

uint16_t device_add_peer(struct device *d,
                         const uint8_t public_key[WIRE_KEY_SIZE],
                         const uint8_t *preshared, uint16_t keepalive)
{
    static const uint8_t none[WIRE_KEY_SIZE];
    uint16_t number = d->peer_count;
    if (number == d->options.peers_max ||
        !peer_init(&d->peers[number], number, &d->identity, public_key,
                   preshared ? preshared : none, duration_seconds(keepalive)))
        return ALLOWED_IPS_NOBODY;
    d->peer_count++;
    return number;
}

bool device_allow(struct device *d, uint16_t peer, const struct prefix *prefix)
{
    return allowed_ips_add(&d->allowed, prefix, peer);
}

/* --- What is known of it ------------------------------------------------- */

const struct peer *device_peer(const struct device *d, uint16_t number)
{
    return &d->peers[number];
}

uint16_t device_peer_count(const struct device *d)
{
    return d->peer_count;
}

const struct drop_counters *device_drops(const struct device *d)
{
    return &d->drops;
}

const uint8_t *device_public_key(const struct device *d)
{
    return d->identity.public_key;
}

/* --- Opening and closing ------------------------------------------------- */

struct device *device_new(const struct device_options *options,
                          const struct device_env *env)
{
    uint8_t random[16];
    /* A peer has three keypairs and an initiation. */
    uint32_t indices = 4 * (uint32_t)options->peers_max;
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->env = *env;
    d->options = *options;
    d->options.private_key = NULL; /* a copy is elsewhere */
    handshake_identity_init(&d->identity, options->private_key);
    cookie_checker_init(&d->checker, d->identity.public_key);
    env->random(env->context, random, sizeof random);
    admission_init(&d->admission, random);
    d->peers = calloc(options->peers_max, sizeof *d->peers);
    d->work = calloc(options->peers_max, sizeof *d->work);
    if (d->peers && d->work && index_table_init(&d->indices, indices) &&
        burst_init(&d->scratch, SCRATCH_SIZE))
        return d;
    device_free(d);
    return NULL;
}

void device_free(struct device *d)
{
    if (!d)
        return;
    for (uint16_t i = 0; i < d->peer_count; i++)
        peer_clear(&d->peers[i], &d->indices);
    free(d->peers);
    free(d->work);
    index_table_clear(&d->indices);
    burst_clear(&d->scratch);
    secret_wipe(d, sizeof *d);
    free(d);
}
